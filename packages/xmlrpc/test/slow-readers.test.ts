import { EventEmitter } from "node:events";
import { createRouter, defineContract, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { BodyDeadlines } from "../src/http/body-deadlines.ts";
import { endReply, type ReplyResponse } from "../src/http/reply-body.ts";
import { serveXmlRpc } from "../src/index.ts";
import { callXml, connectTo } from "./server-rig.ts";

const KB = 1024;

/** A response whose reader takes a part whenever it is told to. */
class StubResponse extends EventEmitter {
  readonly written: number[] = [];
  ended = false;
  writableFinished = false;
  socket: object | null = {};
  destroyed = false;
  readonly req: object = { socket: { destroy: () => this.#destroy() } };

  write(part: Uint8Array): boolean {
    this.written.push(part.length);
    return false;
  }

  end(part?: Uint8Array): void {
    if (part !== undefined) this.written.push(part.length);
    this.ended = true;
  }

  finish(): void {
    this.writableFinished = true;
    this.emit("close");
  }

  #destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }

  asResponse(): ReplyResponse {
    return this as unknown as ReplyResponse;
  }
}

describe("replies that are read slowly", () => {
  it("H137 ends the connection of who reads nothing of a reply", async () => {
    const clock = createFakeClock();
    const { promise: called, resolve: ran } = Promise.withResolvers<void>();
    const big = "y".repeat(32 * KB * KB);
    const router = createRouter(defineContract("p", { big: unary({}) }), {
      big: () => {
        ran();
        return big;
      },
    });
    await using listener = await serveXmlRpc(router, { clock, bodyTimeoutMs: 30_000 });
    const { socket, closed } = await connectTo(Number(new URL(listener.endpoint).port));
    socket.pause();
    const body = callXml("p.big", []);
    socket.write(
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await called;
    await new Promise((resolve) => setImmediate(resolve));
    // The parts that the system's buffers take move the end, once each.
    while (clock.pendingCount > 0) {
      clock.advance(30_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.resume();
    expect((await closed).length).toBeLessThan(big.length);
  });

  it("gives each part of a reply the whole time, and lets go of the response when it is out", () => {
    const clock = createFakeClock();
    const response = new StubResponse();
    endReply(response.asResponse(), "é".repeat(300 * KB), 600 * KB, new BodyDeadlines(clock, 1_000));
    for (let part = 1; part <= 3; part++) {
      expect(response.written).toHaveLength(part);
      clock.advance(999);
      if (part < 3) response.emit("drain");
    }
    expect(response).toMatchObject({ written: [256 * KB, 256 * KB, 88 * KB], ended: true, destroyed: false });
    response.finish();
    clock.advance(5_000);
    expect(response.destroyed).toBe(false);
  });

  it("cuts a reader that stops in the middle", () => {
    const clock = createFakeClock();
    const response = new StubResponse();
    endReply(response.asResponse(), new Uint8Array(600 * KB), 600 * KB, new BodyDeadlines(clock, 1_000));
    response.emit("drain");
    clock.advance(999);
    expect(response.destroyed).toBe(false);
    clock.advance(1);
    expect(response.destroyed).toBe(true);
    response.emit("drain");
    expect(response.written).toHaveLength(2);
  });

  it("does not hold against a reader that another reply is in front", () => {
    const clock = createFakeClock();
    const response = new StubResponse();
    response.socket = null;
    endReply(response.asResponse(), "short", 5, new BodyDeadlines(clock, 1_000));
    clock.advance(10_000);
    expect(response.destroyed).toBe(false);
    response.socket = {};
    clock.advance(1_999);
    expect(response.destroyed).toBe(false);
    clock.advance(1);
    expect(response.destroyed).toBe(true);
  });
});
