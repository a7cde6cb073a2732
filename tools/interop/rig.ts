import { type ClientOf, createClient, type Listener, type Peer, type RpcError } from "@rpc/core";
import { createTcpTransport, serveTcp, type TcpListenerOptions, type TcpTransportOptions } from "@rpc/tcp";
import { afterAll, afterEach, expect } from "vitest";
import { createDemo, Demo, type Memory } from "./contract.ts";
import { PythonPeer, removeGeneratedCode } from "./python-peer.ts";

export const IDENTITY = "bot7";
export const SECRET = "correct horse battery staple";

const opened: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});
afterAll(removeGeneratedCode);

export function startPython(): PythonPeer {
  const python = new PythonPeer();
  opened.push(() => python[Symbol.asyncDispose]());
  return python;
}

type DemoRouter = ReturnType<typeof createDemo>["router"];

/** A Python client, connected to a TypeScript server. */
export interface PythonClientRig {
  readonly python: PythonPeer;
  readonly memory: Memory;
  readonly router: DemoRouter;
  readonly port: number;
  /** Calls Python. */
  readonly demo: ClientOf<typeof Demo>;
  readonly peer: Peer;
  readonly suspended: RpcError[];
  readonly resumed: Peer[];
  readonly gone: RpcError[];
  readonly listener: Listener;
  readonly errors: RpcError[];
}

/** `proofs: false`: this end asks for no secret, or offers none. */
interface Proofs {
  readonly proofs?: boolean;
}

/** A TypeScript server and what it tells. */
export async function serveTypeScript({ proofs = true, ...options }: TcpListenerOptions & Proofs = {}) {
  const { router, memory } = createDemo();
  const errors: RpcError[] = [];
  const refused: RpcError[] = [];
  const suspended: RpcError[] = [];
  const resumed: Peer[] = [];
  const gone: RpcError[] = [];
  const onError = (error: RpcError): void => void errors.push(error);
  const secrets = proofs ? { secrets: { [IDENTITY]: SECRET } } : {};
  const listener = await serveTcp(router, { ...secrets, onError, ...options });
  opened.push(() => listener.close());
  listener.on("client-refused", (_endpoint, error) => refused.push(error));
  listener.on("client-suspended", (_peer, reason) => suspended.push(reason));
  listener.on("client-resumed", (peer) => resumed.push(peer));
  listener.on("client-disconnected", (_peer, reason) => gone.push(reason));
  const port = Number(new URL(listener.endpoint).port);
  return { listener, router, memory, port, errors, refused, suspended, resumed, gone };
}

/** Python dials TypeScript. */
export async function pythonClient(
  options: TcpListenerOptions & Proofs = {},
  dial: Readonly<Record<string, unknown>> = {},
): Promise<PythonClientRig> {
  const served = await serveTypeScript(options);
  const python = startPython();
  await python.ask("dial", { port: served.port, principal: IDENTITY, secret: SECRET, ...dial });
  await until(() => served.listener.peers.size === 1);
  const [peer] = served.listener.peers;
  if (peer === undefined) throw new Error("nobody has connected");
  return { ...served, python, peer, demo: peer.client(Demo) };
}

/** TypeScript dials a Python server. */
export async function pythonServer(
  { proofs = true, ...options }: TcpTransportOptions & Proofs = {},
  serve: Readonly<Record<string, unknown>> = {},
  scheme = "tcp",
) {
  const python = startPython();
  const port = await python.ask<number>("serve", { secrets: { [IDENTITY]: SECRET }, ...serve });
  const { router, memory } = createDemo();
  const transport = createTcpTransport(`${scheme}://127.0.0.1:${port}`, {
    serve: router,
    ...(proofs ? { identity: IDENTITY, secret: SECRET } : {}),
    ...options,
  });
  opened.push(() => transport.close());
  return { python, port, router, memory, transport, demo: createClient(Demo, transport) };
}

/** Waits until something is so; the time that it may take is the test's. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function listOf(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** What a promise is rejected with. */
export async function failure(promise: PromiseLike<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Record<string, unknown>;
  }
  return expect.unreachable("it did not fail");
}
