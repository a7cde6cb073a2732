import { afterEach, describe, expect, it } from "vitest";
import { gate, turns, until } from "./agent-rig.ts";
import { Bot, BOT, botOf, type IssuerRig, openIssuerRig } from "./issuer-rig.ts";

const rigs: IssuerRig[] = [];

async function open(): Promise<IssuerRig> {
  const rig = await openIssuerRig();
  rigs.push(rig);
  return rig;
}

function noTimersLeft({ clock }: IssuerRig): void {
  if (clock.pendingCount > 0) throw new Error(`${clock.pendingCount} timers are left`);
}

afterEach(async () => {
  for (const rig of rigs.splice(0)) {
    await rig.close();
    noTimersLeft(rig);
  }
});

async function collected<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

describe("a handle", () => {
  it("Q06 Q51 is there at once, has its id when the command is in the table, and is awaited when somebody likes", async () => {
    const rig = await open();
    const handle = rig.queue.issue(BOT, Bot.build, { branch: "main" });
    expect([handle.id, handle.state]).toEqual(["", "running"]);
    const id = await handle.accepted;
    expect(handle.id).toBe(String(id));
    expect((await handle.row()).state).toBe("queued");
    await rig.serve(botOf());
    expect(await handle).toEqual({ number: 7n });
    expect(handle.state).toBe("done");
    expect(await handle).toEqual({ number: 7n });
  });

  it("Q51 is had again by its id in another process, also when it is over", async () => {
    const rig = await open();
    const id = await rig.queue.issue(BOT, Bot.build, { branch: "main" }).accepted;
    const other = rig.elsewhere();
    const waiting = other.handle(id, Bot.build).then(({ number }) => number);
    await rig.serve(botOf());
    await rig.advance(1000, 20);
    expect(await waiting).toBe(7n);
    expect(await other.handle(String(id), Bot.build)).toEqual({ number: 7n });
    expect(await other.handle(id)).toEqual({ number: 7n });
    await expect(other.handle(12_345)).rejects.toMatchObject({ code: "NOT_FOUND", reason: "NO_COMMAND" });
    expect(() => other.handle("x")).toThrow(/whole number above 0/);
  });

  it("asks the store for nothing unless somebody waits, and ends no process when it fails unheard", async () => {
    const rig = await open();
    await rig.serve(botOf());
    rig.asked.clear();
    const handle = rig.queue.send(BOT, "missing");
    const refused = rig.queue.send("nowhere", "ping");
    await turns(20);
    expect(rig.asked.get("outcomes") ?? 0).toBe(0);
    expect((await handle.row()).state).toBe("failed");
    await expect(refused).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    await expect(refused.accepted).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    expect(refused.state).toBe("failed");
  });

  it("Q53 reads progress and log from the beginning, and goes on by seq", async () => {
    const rig = await open();
    const steps = [gate(), gate()];
    await rig.serve(
      botOf({
        build: async (_input, context) => {
          context.progress(10);
          context.log("cloning", { commit: "abc" });
          await steps[0]?.promise;
          context.progress(50);
          await steps[1]?.promise;
          context.log("done", {}, "notice");
          return { number: 1n };
        },
      }),
    );
    const handle = rig.queue.issue(BOT, Bot.build, { branch: "main" });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of handle.events()) seen.push([event.seq, event.kind]);
    })();
    await until(() => seen.length === 2, "the first two");
    steps[0]?.open();
    await turns(5);
    await rig.advance(500, 50);
    await until(() => seen.length === 3, "the third");
    const rest = collected(rig.queue.handle(await handle.accepted, Bot.build).events({ afterSeq: 3 }));
    steps[1]?.open();
    expect(await handle).toEqual({ number: 1n });
    await reading;
    expect(seen).toEqual([
      [1, "progress"],
      [2, "log"],
      [3, "progress"],
      [4, "log"],
    ]);
    expect(await rest).toMatchObject([{ seq: 4, kind: "log", line: { level: "notice", message: "done" } }]);
    expect(await collected(handle.progress)).toEqual([10, 50]);
    expect((await collected(handle.log)).map(({ message }) => message)).toEqual(["cloning", "done"]);
  });

  it("leaves its events when the reader has had enough, and when the command is gone", async () => {
    const rig = await open();
    await rig.serve(botOf({ echo: (_input, context) => context.log("one") }));
    const handle = rig.queue.send(BOT, "echo");
    for await (const event of handle.events()) {
      expect(event.kind).toBe("log");
      break;
    }
    await expect(collected(rig.queue.handle(999).events())).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("Q52 cancels what waits at once, what runs by its signal, and what is over not at all", async () => {
    const rig = await open();
    const waiting = rig.queue.send(BOT, "echo", [1]);
    await waiting.cancel("never mind");
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    expect(waiting.state).toBe("cancelled");
    expect((await waiting.row()).cancelReason).toBe("never mind");

    const entered = gate();
    await rig.serve(
      botOf({
        echo: async (input, context) => {
          if (input === "quick") return input;
          entered.open();
          await new Promise((_, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
          });
          return undefined;
        },
      }),
    );
    const running = rig.queue.send(BOT, "echo", [2]);
    await entered.promise;
    await rig.queue.handle(await running.accepted).cancel("stop");
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });

    const over = rig.queue.send(BOT, "echo", ["quick"]);
    expect(await over).toBe("quick");
    expect(await rig.queue.cancel(over.id, "too late")).toBe("done");
    await over.cancel();
    await expect(rig.queue.cancel(999)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("has what the handler said beside its reply", async () => {
    const rig = await open();
    await rig.serve(
      botOf({
        echo: (input, context) => {
          context.responseMetadata.set("x-seen", context.metadata.get("x-sent") ?? "");
          return input;
        },
      }),
    );
    const handle = rig.queue.send(BOT, "echo", [1], {}, { metadata: { "x-sent": "v" } });
    expect(await handle).toBe(1);
    expect(handle.responseMetadata.get("x-seen")).toBe("v");
  });
});
