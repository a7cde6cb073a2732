import type { Router, XPublisher, XSubscriber } from "zeromq";

type BoundSocket = Router | XPublisher | XSubscriber;

/**
 * Closes a socket; when it is done, the endpoint can be bound again. libzmq's own close only promises to do so soon. (`unbind` is no way to wait
 * for it: it works on another thread, and libzmq aborts the process when somebody reads at that moment.)
 */
export async function closeBound(socket: BoundSocket, endpoint: string): Promise<void> {
  if (endpoint.startsWith("inproc:")) {
    socket.close();
    return;
  }
  let closed: Promise<void> | undefined;
  try {
    const { events } = socket;
    closed = new Promise((resolve) => {
      events.on("close", () => resolve());
      events.on("end", () => resolve());
    });
  } catch {
    // To listen takes a socket, and there is none left: it is closed all the same, a moment later.
  }
  socket.close();
  await closed;
}
