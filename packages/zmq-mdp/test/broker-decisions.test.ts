import { describe, expect, it } from "vitest";
import { Door } from "../src/broker/roster.ts";
import { byte, createRig, MDPC02, MDPW01, MDPW02 } from "./scripted-peers.ts";

const ACTION = ["a.do", "{}"];
const DISCONNECT = "- MDPW01 #5";
const GONE_02 = "MDPW02 #6";
const asked = (client: string, ...body: readonly string[]): string => `- MDPW01 #2 ${client} - ${body.join(" ")}`;
const answered = (service: string, ...body: readonly string[]): string => `- MDPC01 ${service} ${body.join(" ")}`;
const failed = (service: string, code: string, reason: string): string =>
  answered(service, "error", JSON.stringify({ status: false, reason, code }));

describe("a request", () => {
  it("for a service that nobody has offered waits 30 s, and then is answered with an error", () => {
    const rig = createRig();
    rig.request("c", "nope", ...ACTION);
    rig.clock.advance(29_900);
    expect(rig.heard("c")).toEqual([]);
    rig.clock.advance(200);
    expect(rig.heard("c")).toEqual([failed("nope", "NO_WORKER", "no worker for service nope")]);
    expect(rig.events).toEqual(["request nope", "expired nope", "rejected nope NO_WORKER"]);
    expect(rig.machine.dispatcher.services.size).toBe(0);
    expect(rig.clock.pendingCount).toBe(0);
  });

  it.each([
    ["0.5", 450],
    ["1", 900],
    ["10", 9_900],
    ["60", 59_900],
  ])("with a patience of %s s is answered after %i ms: before its caller stops listening", (patience, ms) => {
    const rig = createRig();
    rig.request("c", "nope", patience, ...ACTION);
    rig.clock.advance(ms - 10);
    expect(rig.heard("c")).toEqual([]);
    rig.clock.advance(10);
    expect(rig.heard("c")).toEqual([failed("nope", "NO_WORKER", "no worker for service nope")]);
  });

  it("whose worker is busy hears so as early, whatever else expires meanwhile", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("a", "s", ...ACTION);
    rig.request("b", "s", "3", ...ACTION);
    rig.request("c", "s", "2", ...ACTION);
    rig.request("d", "t", "1", ...ACTION);
    const heard: string[] = [];
    for (let at = 0; at < 3_000; at += 10) {
      rig.clock.advance(10);
      for (const client of ["b", "c", "d"]) if (rig.heard(client).length > 0) heard.push(`${client} ${at + 10}`);
    }
    expect(heard).toEqual(["d 900", "c 1900", "b 2900"]);
    rig.reply("w", "a", "r");
    rig.say("w", "", MDPW01, byte(5));
    rig.clock.advance(100);
    expect(rig.clock.pendingCount).toBe(0);
  });

  it("whose caller is told nothing waits to the end of its patience", () => {
    const rig = createRig({ errorReplies: "none" });
    rig.request("c", "s", "10", ...ACTION);
    rig.clock.advance(9_990);
    rig.ready("w", "s");
    expect(rig.told("w")).toEqual([asked("c", ...ACTION)]);
  });

  it("waits for an idle worker 60 s, and says then that none was free", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("a", "s", ...ACTION);
    rig.request("b", "s", ...ACTION);
    rig.pass(60_000, "w");
    expect(rig.told("w")).toEqual([asked("a", ...ACTION)]);
    expect(rig.heard("b")).toEqual([failed("s", "EXPIRED", "no worker of service s was free in time")]);
  });

  it("that has expired is never given to a worker, not even before anybody noticed", () => {
    const rig = createRig();
    rig.request("c", "s", "0.05", ...ACTION);
    rig.clock.advance(60);
    rig.ready("w", "s");
    expect(rig.told("w")).toEqual([]);
    expect(rig.machine.counters.expired).toBe(1);
  });

  it("goes without its time-out frame, whatever that says", () => {
    const rig = createRig();
    rig.ready("w", "s");
    for (const patience of ["10", "None", "-1", "0", "1e-05"]) {
      rig.request("c", "s", patience, ...ACTION);
      expect(rig.told("w")).toEqual([asked("c", ...ACTION)]);
      rig.reply("w", "c", "r");
    }
    rig.request("c", "s", "nan", "{}");
    expect(rig.told("w")).toEqual([asked("c", "nan", "{}")]);
  });

  it("goes first when it came first: READY takes the oldest out of the queue", () => {
    const rig = createRig();
    for (const client of ["a", "b", "c"]) rig.request(client, "s", ...ACTION);
    rig.ready("w", "s");
    rig.request("d", "s", ...ACTION);
    for (const client of ["a", "b", "c", "d"]) {
      expect(rig.told("w")).toEqual([asked(client, ...ACTION)]);
      rig.reply("w", client, "r");
    }
    expect(rig.heard("d")).toEqual([answered("s", "r")]);
  });

  it("is refused when 1,000 wait, and nobody before it suffers", () => {
    const rig = createRig();
    for (let at = 0; at < 1_000; at += 1) rig.request("c", "s", "1", String(at));
    rig.request("late", "s", "5", ...ACTION);
    expect(rig.heard("late")).toEqual([failed("s", "QUEUE_FULL", "too many requests wait for service s")]);
    rig.ready("w", "s");
    for (let at = 0; at < 1_000; at += 1) {
      expect(rig.told("w")).toEqual([asked("c", "1", String(at))]);
      rig.reply("w", "c", "r");
    }
    expect(rig.machine.dispatcher.waitingBytes).toBe(0);
  });

  it("is refused when all that wait have too many bytes, or too many services are asked for", () => {
    const rig = createRig({ maxQueuedBytes: 1_000, maxServices: 2 });
    rig.request("c", "s", "a.do", `{${"x".repeat(900)}`);
    rig.request("d", "s", "a.do", `{${"x".repeat(100)}`);
    expect(rig.heard("d")).toHaveLength(1);
    rig.request("d", "t", ...ACTION);
    rig.request("d", "u", ...ACTION);
    expect(rig.heard("d")).toEqual([failed("u", "QUEUE_FULL", "too many requests wait for service u")]);
    expect(rig.machine.counters.queueFull).toBe(2);
  });

  it("of a higher priority goes before those that wait, and not before its equals", () => {
    const rig = createRig({ priority: ({ body }) => Number(body[0]) });
    for (const body of ["1", "5", "3", "5", "1"]) rig.request(`c${rig.machine.dispatcher.waiting}`, "s", body);
    rig.ready("w", "s");
    const order: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      const client = /c\d/.exec(rig.told("w")[0] ?? "")?.[0] ?? "";
      order.push(client);
      rig.reply("w", client, "r");
    }
    expect(order).toEqual(["c1", "c3", "c2", "c0", "c4"]);
  });

  it("is withdrawn by its caller's mark, while it waits", () => {
    const rig = createRig();
    rig.say("c", "m1", "", "MDPC01", "s", ...ACTION);
    rig.say("c", "m2", "", "MDPC01", "s", ...ACTION);
    rig.say("other", "x", "", "MDPC01", "mmi.cancel", "s", "m1");
    expect(rig.heard("other")).toEqual(["x - MDPC01 mmi.cancel 404"]);
    rig.say("c", "x", "", "MDPC01", "mmi.cancel", "s", "m1");
    expect(rig.heard("c")).toEqual(["x - MDPC01 mmi.cancel 200"]);
    rig.ready("w", "s");
    expect(rig.told("w")).toEqual(["- MDPW01 #2 c m2 - a.do {}"]);
  });

  it("of a client that cannot be reached any more is not carried out", async () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", ...ACTION);
    rig.request("c", "s", "b.do", "{}");
    rig.request("d", "s", "c.do", "{}");
    rig.cut("c");
    rig.ready("v", "t");
    rig.request("c", "t", ...ACTION);
    rig.reply("v", "c", "r");
    await Promise.resolve();
    rig.clock.advance(100);
    expect(rig.machine.counters).toMatchObject({ orphanReply: 1, cancelled: 1 });
    rig.reply("w", "c", "r");
    expect(rig.told("w")).toEqual([asked("c", ...ACTION), asked("d", "c.do", "{}")]);
  });
});

describe("a reply", () => {
  it("goes to its caller, envelope unchanged, and the worker to the end of the idle ones", () => {
    const rig = createRig();
    rig.ready("w0", "s");
    rig.ready("w1", "s");
    rig.say("c", "e1", "e2", "", "MDPC01", "s", "a0");
    rig.request("c", "s", "a1");
    expect(rig.told("w0")).toEqual(["- MDPW01 #2 c e1 e2 - a0"]);
    expect(rig.told("w1")).toEqual([asked("c", "a1")]);
    rig.request("c", "s", "a2");
    rig.say("w0", "", MDPW01, byte(3), "c", "e1", "e2", "", "r0", "", "more");
    expect(rig.heard("c")).toEqual(["e1 e2 - MDPC01 s r0 - more"]);
    expect(rig.told("w0")).toEqual([asked("c", "a2")]);
    expect(rig.events).toContain("reply s 0");
  });

  it("finds the worker that was idle longest", () => {
    const rig = createRig();
    for (const worker of ["w0", "w1", "w2"]) rig.ready(worker, "s");
    const order: string[] = [];
    for (let at = 0; at < 6; at += 1) {
      rig.request("c", "s", "x");
      const worker = ["w0", "w1", "w2"].find((name) => rig.told(name).length > 0) ?? "";
      order.push(worker);
      rig.reply(worker, "c", "r");
    }
    expect(order).toEqual(["w0", "w1", "w2", "w0", "w1", "w2"]);
  });

  it("is given by whom selectWorker names; a function that throws names the first", () => {
    let broken = false;
    const rig = createRig({
      selectWorker: (idle) => {
        if (broken) throw new Error("No.");
        return idle.at(-1);
      },
    });
    for (const worker of ["w0", "w1", "w2"]) rig.ready(worker, "s");
    rig.request("c", "s", "x");
    expect(rig.told("w2")).toHaveLength(1);
    broken = true;
    rig.request("c", "s", "x");
    expect(rig.told("w0")).toHaveLength(1);
  });

  it("after the caller's patience reaches nobody, and frees the worker", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", "2", ...ACTION);
    rig.pass(7_000);
    rig.reply("w", "c", "r");
    expect(rig.heard("c")).toEqual([]);
    expect(rig.machine.counters.lateReply).toBe(1);
    rig.request("c", "s", ...ACTION);
    rig.reply("w", "c", "r2");
    expect(rig.heard("c")).toEqual([answered("s", "r2")]);
  });

  it("for a client that has left is dropped and counted, and frees the worker", async () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", ...ACTION);
    rig.cut("c");
    rig.reply("w", "c", "r");
    await Promise.resolve();
    expect(rig.machine.counters.orphanReply).toBe(1);
    rig.request("d", "s", ...ACTION);
    rig.told("w");
    rig.reply("w", "d", "r");
    expect(rig.heard("d")).toEqual([answered("s", "r")]);
  });

  it("is nobody's when the worker was not asked, answers twice, or names another client: it is sent away", () => {
    const rig = createRig();
    const forge: ((worker: string) => void)[] = [
      (worker) => rig.reply(worker, "victim", "r"),
      (worker) => {
        rig.request("c", "s", ...ACTION);
        rig.reply(worker, "c", "r");
        rig.reply(worker, "c", "r");
      },
      (worker) => {
        rig.request("c", "s", ...ACTION);
        rig.reply(worker, "victim", "r");
      },
      (worker) => {
        rig.say("c", "mark", "", "MDPC01", "s", ...ACTION);
        rig.say(worker, "", MDPW01, byte(3), "c", "other", "", "r");
      },
    ];
    for (const [at, how] of forge.entries()) {
      rig.ready(`w${at}`, "s");
      how(`w${at}`);
      expect(rig.told(`w${at}`)).toContain(DISCONNECT);
      expect(rig.heard("victim")).toEqual([]);
      expect(rig.machine.workers).toBe(0);
    }
    expect(rig.machine.counters.forgedReply).toBe(4);
  });
});

describe("a worker", () => {
  it("that dies or disconnects with a request fails it at once", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", ...ACTION);
    rig.say("w", "", MDPW01, byte(5));
    expect(rig.heard("c")).toEqual([failed("s", "WORKER_LOST", "the worker of service s was lost with the request")]);
    expect(rig.events).toContain("gone s disconnected");
  });

  it("that leaves with nothing in hand has not begun what was sent to it meanwhile: another one gets it", () => {
    const rig = createRig();
    rig.ready("w0", "s");
    rig.ready("w1", "s");
    rig.request("c", "s", ...ACTION);
    rig.request("w0", "mmi.worker", "leave");
    rig.say("w0", "", MDPW01, byte(5));
    expect(rig.told("w1")).toEqual([asked("c", ...ACTION)]);
    expect(rig.told("w0").at(-1)).toBe(answered("mmi.worker", "200"));
    rig.request("c", "mmi.worker", "leave");
    rig.request("w1", "mmi.worker", "else");
    expect([rig.heard("c"), rig.heard("w1")]).toEqual([
      [answered("mmi.worker", "404")],
      [answered("mmi.worker", "404")],
    ]);
    rig.reply("w1", "c", "r");
    expect(rig.heard("c")).toEqual([answered("s", "r")]);
  });

  it("may leave the empty frame of DISCONNECT out, as Domogik does", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.say("w", MDPW01, byte(5));
    expect(rig.events).toContain("gone s disconnected");
    expect(rig.told("w")).toEqual([]);
  });

  it("is replaced up to three times where a service bears it, before whoever waits", () => {
    const rig = createRig({ services: { s: { onWorkerLost: "requeue" } } });
    rig.ready("w0", "s");
    rig.request("c", "s", ...ACTION);
    rig.request("d", "s", "b.do", "{}");
    rig.say("w0", "", MDPW01, byte(5));
    rig.ready("w1", "s");
    expect(rig.told("w1")).toEqual([asked("c", ...ACTION)]);
    rig.ready("w1", "s");
    rig.ready("w2", "s");
    expect(rig.told("w2")).toEqual([asked("c", ...ACTION)]);
    rig.say("w2", "", MDPW01, byte(5));
    expect(rig.heard("c")).toHaveLength(1);
    expect(rig.machine.counters).toMatchObject({ requeued: 2, workerLost: 1 });
    rig.ready("w3", "s");
    expect(rig.told("w3")).toEqual([asked("d", "b.do", "{}")]);
  });

  it("whose connection was gone already does not cost the request anything", async () => {
    const rig = createRig();
    rig.ready("w0", "s");
    rig.ready("w1", "s");
    rig.cut("w0");
    rig.request("c", "s", ...ACTION);
    await Promise.resolve();
    expect(rig.told("w1")).toEqual([asked("c", ...ACTION)]);
    expect(rig.events).toContain("gone s unreachable");
    expect(rig.machine.workers).toBe(1);
  });

  it("that is busy is not asked for signs of life, and gets them", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", "10", ...ACTION);
    rig.told("w");
    rig.pass(7_000);
    expect(rig.heard("w")).toHaveLength(7);
    rig.reply("w", "c", "r");
    expect(rig.heard("c")).toEqual([answered("s", "r")]);
    expect(rig.machine.workers).toBe(1);
  });

  it("that never replies is gone after maxBusyMs and its liveness, or after the caller's patience if that is longer", () => {
    const rig = createRig({ maxBusyMs: 20_000 });
    rig.ready("w", "s");
    rig.request("c", "s", ...ACTION);
    rig.pass(24_900, "w");
    expect(rig.machine.workers).toBe(1);
    rig.pass(200, "w");
    expect(rig.events).toContain("gone s stuck");
    expect(rig.heard("c")).toHaveLength(1);
    rig.ready("w", "s");
    rig.request("c", "s", "40", ...ACTION);
    rig.pass(44_900);
    expect(rig.machine.workers).toBe(1);
    rig.pass(200);
    expect(rig.machine.workers).toBe(0);
    expect(rig.heard("c")).toEqual([]);
    expect(rig.events.at(-1)).toBe("rejected s WORKER_LOST");
  });

  it("that is silent for five beats is gone, and told so", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.clock.advance(4_900);
    expect(rig.machine.workers).toBe(1);
    expect(rig.heard("w")).toHaveLength(4);
    rig.clock.advance(400);
    expect(rig.told("w")).toEqual([DISCONNECT]);
    expect(rig.events.slice(-2)).toEqual(["silent s", "gone s silent"]);
    expect(rig.clock.pendingCount).toBe(0);
  });

  it("lives as long as it says anything", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.ready("v", "s");
    rig.pass(20_000, "w");
    expect(rig.machine.workers).toBe(1);
    for (let at = 0; at < 5; at += 1) {
      rig.request("c", "s", "x");
      rig.clock.advance(4_000);
      rig.reply("w", "c", "r");
    }
    expect(rig.machine.workers).toBe(1);
    expect(rig.heard("c")).toHaveLength(5);
  });

  it("is not blamed for the time in which the broker itself stood still", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.pass(3_000, "w");
    rig.clock.jump(60_000);
    expect(rig.machine.workers).toBe(1);
    rig.pass(5_200);
    expect(rig.machine.workers).toBe(0);
  });

  it("that dies is found wherever it stands among the idle ones", () => {
    const rig = createRig();
    for (const worker of ["w0", "w1", "w2", "w3"]) rig.ready(worker, "s");
    rig.pass(6_000, "w0", "w2");
    rig.request("c", "s", "1");
    rig.request("c", "s", "2");
    rig.request("c", "s", "3");
    expect(rig.told("w0")).toEqual([asked("c", "1")]);
    expect(rig.told("w2")).toEqual([asked("c", "2")]);
    expect(rig.machine.dispatcher.waiting).toBe(1);
  });

  it("that says READY twice is sent away, and may come again", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.ready("w", "s");
    expect(rig.told("w")).toEqual([DISCONNECT]);
    expect(rig.machine.workers).toBe(0);
    rig.ready("w", "s");
    expect(rig.machine.workers).toBe(1);
  });

  it.each(["mmi.service", "mmi.x", "titanic.request", "", "a\nb", "s".repeat(256)])("may not register %j", (name) => {
    const rig = createRig();
    rig.ready("w", name);
    expect(rig.told("w")).toEqual([DISCONNECT]);
    expect(rig.machine.workers).toBe(0);
    expect(rig.clock.pendingCount).toBe(1);
  });

  it("may register titanic.* where that is said", () => {
    const rig = createRig({ titanic: true });
    rig.ready("w", "titanic.request");
    rig.request("c", "titanic.request", "10", "echo", "hello");
    expect(rig.told("w")).toEqual([asked("c", "echo", "hello")]);
  });

  it("of whom nothing is known is told to go, once in a second, whatever it says", () => {
    const rig = createRig();
    for (let at = 0; at < 100; at += 1) rig.beat("x");
    rig.reply("x", "victim", "r");
    rig.say("x", "", MDPW01, byte(9));
    rig.say("y", MDPW02, byte(5));
    expect(rig.heard("x")).toEqual([DISCONNECT]);
    expect(rig.heard("y")).toEqual([GONE_02]);
    rig.clock.advance(1_100);
    rig.beat("x");
    expect(rig.heard("x")).toEqual([DISCONNECT]);
    rig.say("z", "", MDPW01, byte(5));
    expect(rig.heard("z")).toEqual([]);
    expect(rig.heard("victim")).toEqual([]);
  });

  it.each([
    ["an unknown command", ["", MDPW01, byte(9)]],
    ["a broker's command", ["", MDPW01, byte(2), "c", "", "x"]],
    ["a reply without an address", ["", MDPW01, byte(3), "", "x"]],
    ["no command at all", ["", MDPW01]],
    ["a hundred frames", ["", MDPW01, byte(4), ...Array.from({ length: 100 }, () => "x")]],
  ])("that says %s is sent away", (_what, frames) => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.say("w", ...frames);
    expect(rig.told("w")).toEqual([DISCONNECT]);
    expect(rig.events).toContain("gone s misbehaved");
  });

  it("beyond the limit is refused", () => {
    const rig = createRig({ maxWorkers: 2 });
    for (const worker of ["w0", "w1", "w2"]) rig.ready(worker, "s");
    expect(rig.told("w2")).toEqual([DISCONNECT]);
    expect(rig.machine.workers).toBe(2);
  });
});

describe("what is asked of the broker", () => {
  it("is told by mmi.service: 200 while a worker is there, and not a moment longer", () => {
    const rig = createRig();
    const state = (): string[] => {
      rig.request("c", "mmi.service", "10", "s");
      return rig.heard("c");
    };
    expect(state()).toEqual([answered("mmi.service", "404")]);
    rig.request("d", "s", ...ACTION);
    expect(state()).toEqual([answered("mmi.service", "404")]);
    rig.ready("w", "s");
    expect(state()).toEqual([answered("mmi.service", "200")]);
    rig.say("w", "", MDPW01, byte(5));
    expect(state()).toEqual([answered("mmi.service", "404")]);
  });

  it("has an answer whatever stands in the body", () => {
    const rig = createRig();
    rig.ready("w", "10");
    rig.request("c", "mmi.service", "10");
    rig.request("c", "mmi.service", "");
    rig.request("c", "mmi.service", "10", "");
    rig.request("c", "mmi.nothing", "10", "");
    expect(rig.heard("c")).toEqual([
      answered("mmi.service", "200"),
      answered("mmi.service", "404"),
      answered("mmi.service", "404"),
      answered("mmi.nothing", "501"),
    ]);
  });

  it("is told by mmi.services: one name for each worker", () => {
    const rig = createRig();
    rig.request("c", "mmi.services", "10", "");
    rig.ready("w0", "dbmgr");
    rig.ready("w1", "dbmgr");
    rig.ready("w2", "xplgw");
    rig.say("c", "hop", "", "MDPC01", "mmi.services", "");
    expect(rig.heard("c")).toEqual(["- MDPC01 mmi.services -", "hop - MDPC01 mmi.services dbmgr, dbmgr, xplgw"]);
  });

  it("is told as JSON of workers, queues and counts, unless that is switched off", () => {
    const rig = createRig();
    rig.ready("w", "s");
    rig.request("c", "s", ...ACTION);
    rig.request("c", "s", ...ACTION);
    const ask = (name: string): unknown => {
      rig.request("q", name, "");
      return JSON.parse(rig.heard("q")[0]?.split(`${name} `)[1] ?? "");
    };
    expect(ask("mmi.workers")).toEqual([
      { service: "s", identity: "77", door: 0, version: "0.1", busy: true, answered: 0 },
    ]);
    expect(ask("mmi.queue")).toEqual({ s: { workers: 1, waiting: 1 } });
    expect(ask("mmi.stats")).toMatchObject({ workers: 1, services: 1, waiting: 1, inFlight: 1, requests: 2 });
    const plain = createRig({ mmiExtensions: false });
    plain.request("c", "mmi.stats", "");
    expect(plain.heard("c")).toEqual([answered("mmi.stats", "501")]);
  });
});

describe("Majordomo 0.2", () => {
  it("and 0.1 serve each other", () => {
    const rig = createRig();
    rig.say("new", MDPW02, byte(1), "s");
    rig.request("old", "s", "x");
    expect(rig.told("new")).toEqual(["MDPW02 #2 old - x"]);
    rig.say("new", MDPW02, byte(4), "old", "", "r");
    expect(rig.heard("old")).toEqual([answered("s", "r")]);
    rig.ready("w", "t");
    rig.say("c2", MDPC02, byte(1), "t", "y");
    expect(rig.told("w")).toEqual([asked("c2", "y")]);
    rig.reply("w", "c2", "r");
    expect(rig.heard("c2")).toEqual(["MDPC02 #3 t r"]);
  });

  it("carries parts as they come", () => {
    const rig = createRig();
    rig.say("w", MDPW02, byte(1), "s");
    rig.say("c", MDPC02, byte(1), "s", "x");
    for (const part of ["a", "b"]) rig.say("w", MDPW02, byte(3), "c", "", part);
    rig.say("w", MDPW02, byte(4), "c", "", "z");
    expect(rig.heard("c")).toEqual(["MDPC02 #2 s a", "MDPC02 #2 s b", "MDPC02 #3 s z"]);
  });

  it("is collected for a caller of 0.1, or refused", () => {
    const rig = createRig({ services: { whole: { partials: "refuse" } } });
    for (const service of ["s", "whole"]) {
      rig.say(`w-${service}`, MDPW02, byte(1), service);
      rig.request("c", service, ...ACTION);
      rig.say(`w-${service}`, MDPW02, byte(3), "c", "", "a");
      rig.say(`w-${service}`, MDPW02, byte(3), "c", "", "b");
      rig.say(`w-${service}`, MDPW02, byte(4), "c", "", "z");
    }
    expect(rig.heard("c")).toEqual([
      answered("s", "a", "b", "z"),
      failed("whole", "UNSUPPORTED", "service whole answers in parts, which this caller cannot take"),
    ]);
    expect(rig.machine.workers).toBe(2);
  });

  it("gets errors as its last word, and its first body frame is never taken off", () => {
    const rig = createRig();
    rig.say("c", MDPC02, byte(1), "s", "5", "a.do", "{}");
    rig.say("w", MDPW02, byte(1), "s");
    expect(rig.told("w")).toEqual(["MDPW02 #2 c - 5 a.do {}"]);
    rig.say("w", MDPW02, byte(6));
    expect(rig.heard("c")[0]).toMatch(/^MDPC02 #3 s error \{.*"WORKER_LOST"\}$/);
  });

  it("never ends well once a part could not be handed over", async () => {
    for (const ending of ["final", "gone"]) {
      const rig = createRig();
      rig.say("w", MDPW02, byte(1), "s");
      rig.say("c", MDPC02, byte(1), "s", "x");
      rig.say("w", MDPW02, byte(3), "c", "", "a");
      expect(rig.heard("c")).toEqual(["MDPC02 #2 s a"]);
      const reader = rig.stuff("c");
      rig.say("w", MDPW02, byte(3), "c", "", "b");
      await Promise.resolve();
      reader();
      rig.say("w", MDPW02, byte(3), "c", "", "c");
      if (ending === "final") rig.say("w", MDPW02, byte(4), "c", "", "z");
      else rig.say("w", MDPW02, byte(6));
      expect(rig.heard("c")).toEqual([
        'MDPC02 #3 s error {"status":false,"reason":"the caller did not read what service s answers in parts","code":"OVERFLOW"}',
      ]);
      expect(rig.machine.counters.unread).toBe(1);
    }
  });

  it("without an end keeps its worker only as long as somebody takes the parts", async () => {
    const rig = createRig();
    rig.say("w", MDPW02, byte(1), "s");
    rig.say("c", MDPC02, byte(1), "s", "x");
    const parts = (count: number): void => {
      for (let at = 0; at < count && rig.machine.workers === 1; at += 1) {
        rig.say("w", MDPW02, byte(3), "c", "", "a");
        rig.clock.advance(1_000);
      }
    };
    parts(600);
    expect(rig.machine.workers).toBe(1);
    rig.cut("c");
    rig.say("w", MDPW02, byte(3), "c", "", "a");
    await Promise.resolve();
    parts(4);
    expect(rig.machine.workers).toBe(1);
    parts(2);
    expect(rig.told("w").at(-1)).toBe(GONE_02);
    expect(rig.events.at(-1)).toBe("gone s stuck");
  });

  it("is cancelled by its caller, over its own socket, also when a worker has begun", () => {
    const rig = createRig();
    rig.say("w", MDPW02, byte(1), "s");
    rig.say("w", MDPC02, byte(1), "mmi.worker", "cancel");
    rig.say("old", MDPW02, byte(1), "t");
    for (const service of ["s", "t", "s"]) rig.say("c", MDPC02, byte(1), service, "x");
    rig.say("d", MDPC02, byte(1), "s", "mine");
    rig.told("w");
    rig.told("old");
    for (const [caller, service] of [
      ["e", "s"],
      ["c", "s"],
      ["c", "t"],
      ["c", "t"],
    ] as const)
      rig.say(caller, MDPC02, byte(1), "mmi.cancel", service);
    expect(rig.heard("e")).toEqual(["MDPC02 #3 mmi.cancel 404"]);
    expect(rig.heard("c").map((line) => line.slice(-3))).toEqual(["200", "200", "404"]);
    // One knows the word; the other one may end by itself, or is sent away.
    expect([rig.told("w"), rig.told("old")]).toEqual([["MDPW02 #7"], []]);
    rig.say("w", MDPW02, byte(4), "c", "", "late");
    expect(rig.told("w")).toEqual(["MDPW02 #2 d - mine"]);
    expect(rig.heard("c")).toEqual([]);
    rig.pass(5_100, "w");
    expect(rig.told("old")).toEqual([GONE_02]);
    expect(rig.machine.counters.cancelled).toBe(3);
  });

  it("is not given to a second worker once the caller has a part", () => {
    const rig = createRig({ onWorkerLost: "requeue" });
    rig.say("w0", MDPW02, byte(1), "s");
    rig.say("w1", MDPW02, byte(1), "s");
    rig.say("c", MDPC02, byte(1), "s", "x");
    rig.say("w0", MDPW02, byte(3), "c", "", "part");
    rig.say("w0", MDPW02, byte(6));
    expect(rig.told("w1")).toEqual([]);
    expect(rig.heard("c")).toHaveLength(2);
  });
});

describe("dialects", () => {
  it("rfc7 leaves bodies alone, and answers nothing when there is nothing", () => {
    const rig = createRig({ dialect: "rfc7" });
    rig.request("c", "s", "5", ...ACTION);
    rig.ready("w", "s");
    expect(rig.told("w")).toEqual([asked("c", "5", ...ACTION)]);
    rig.say("w", "", MDPW01, byte(5));
    expect(rig.heard("c")).toEqual([]);
  });

  it("domogik answers whoever asks, auto whoever looks like it", () => {
    for (const [dialect, answers] of [
      ["domogik", 1],
      ["domogik-1.3", 1],
      ["auto", 0],
    ] as const) {
      const rig = createRig({ dialect, maxQueue: 0 });
      rig.request("c", "s", "opaque");
      expect(rig.heard("c")).toHaveLength(answers);
      rig.request("c", "s", ...ACTION);
      expect(rig.heard("c")).toHaveLength(1);
    }
  });

  it("differ by service where that is said", () => {
    const rig = createRig({ services: { raw: { timeoutFrame: "never" }, bytes: { timeoutFrame: "always" } } });
    for (const service of ["raw", "bytes"]) {
      rig.ready(service, service);
      rig.request("c", service, "5", "x");
    }
    expect(rig.told("raw")).toEqual([asked("c", "5", "x")]);
    expect(rig.told("bytes")).toEqual([asked("c", "x")]);
  });
});

describe("a door", () => {
  const inner = new Door(0, false, undefined);

  it("for clients alone sends workers away, and lets its clients reach those of another", () => {
    const rig = createRig({}, [inner, new Door(1, true, undefined)]);
    rig.ready("same", "s");
    rig.sayAt(1, "w", "", MDPW01, byte(1), "s");
    expect(rig.told("w")).toEqual([DISCONNECT]);
    rig.sayAt(1, "same", "", "MDPC01", "s", "x");
    expect(rig.told("same")).toEqual([asked("same", "x")]);
    rig.sayAt(1, "same", "", MDPW01, byte(3), "same", "", "forged");
    expect(rig.told("same")).toEqual([DISCONNECT]);
    rig.reply("same", "same", "r");
    expect(rig.told("same")).toEqual([answered("s", "r")]);
  });

  it("lets do what its rules allow, and the first that names a service decides", () => {
    const door = new Door(0, false, [
      { service: "admin.private", mayRegister: true },
      { service: "admin.*", mayRegister: true, mayRequest: true },
      { service: "open", mayRequest: true },
      { service: "mmi.stats" },
    ]);
    const rig = createRig({}, [door]);
    for (const service of ["admin.private", "admin.x", "open", "else"]) rig.ready(`w-${service}`, service);
    expect(rig.machine.workers).toBe(2);
    expect(rig.told("w-open")).toEqual([DISCONNECT]);
    rig.request("c", "admin.x", "x");
    expect(rig.told("w-admin.x")).toEqual([asked("c", "x")]);
    rig.request("c", "admin.private", ...ACTION);
    rig.request("c", "mmi.stats", ...ACTION);
    expect(rig.heard("c")).toEqual([
      failed("admin.private", "FORBIDDEN", "service admin.private is not open to this caller"),
      failed("mmi.stats", "FORBIDDEN", "service mmi.stats is not open to this caller"),
    ]);
    rig.request("c", "mmi.service", "open");
    expect(rig.heard("c")).toEqual([answered("mmi.service", "404")]);
    expect(rig.machine.counters.forbidden).toBe(4);
  });
});

describe("closing", () => {
  it("lets what runs and what waits come to its end, and takes nothing new", () => {
    const rig = createRig();
    let closed = false;
    rig.ready("w", "s");
    rig.request("a", "s", ...ACTION);
    rig.request("b", "s", ...ACTION);
    rig.request("n", "nobody", ...ACTION);
    rig.machine.drain(5_000, () => {
      closed = true;
    });
    expect(rig.heard("n")).toEqual([failed("nobody", "NO_WORKER", "the broker is closing")]);
    rig.request("c", "s", ...ACTION);
    rig.ready("w2", "s");
    expect(rig.heard("c")).toEqual([failed("s", "NO_WORKER", "the broker is closing")]);
    expect(rig.told("w2")).toEqual([DISCONNECT]);
    rig.reply("w", "a", "r");
    expect(closed).toBe(false);
    rig.reply("w", "b", "r");
    expect(rig.heard("b")).toEqual([answered("s", "r")]);
    expect(closed).toBe(true);
    expect(rig.told("w").at(-1)).toBe(DISCONNECT);
    expect(rig.clock.pendingCount).toBe(0);
  });

  it("does not wait for workers that are gone: nobody may register any more", () => {
    const rig = createRig({ onWorkerLost: "requeue" });
    let closed = false;
    rig.ready("w", "s");
    rig.request("a", "s", ...ACTION);
    rig.request("b", "s", ...ACTION);
    rig.machine.drain(5_000, () => {
      closed = true;
    });
    rig.say("w", "", MDPW01, byte(5));
    expect(closed).toBe(true);
    expect([...rig.heard("a"), ...rig.heard("b")].filter((line) => line.includes("NO_WORKER"))).toHaveLength(2);
  });

  it("does not wait for longer than it may: the rest is answered with errors", () => {
    const rig = createRig({ onWorkerLost: "requeue" });
    let closed = false;
    rig.ready("w", "s");
    rig.ready("v", "t");
    rig.request("a", "s", ...ACTION);
    rig.request("b", "s", ...ACTION);
    rig.machine.drain(5_000, () => {
      closed = true;
    });
    rig.pass(5_000, "w", "v");
    expect(closed).toBe(true);
    expect(rig.heard("a")[0]).toContain("WORKER_LOST");
    expect(rig.heard("b")[0]).toContain("NO_WORKER");
    expect(rig.told("v")).toEqual([DISCONNECT]);
    rig.request("a", "s", ...ACTION);
    expect(rig.heard("a")).toEqual([]);
  });
});

describe("listeners", () => {
  it("that throw harm nobody", () => {
    const rig = createRig();
    const lines: string[] = [];
    rig.machine.events.on("workerReady", () => {
      throw new Error("Not today.");
    });
    rig.machine.events.on("log", (line) => {
      lines.push(line);
      throw new Error("Not this one either.");
    });
    rig.ready("w", "s");
    expect(rig.machine.workers).toBe(1);
    expect(lines).toEqual(["A listener of workerReady threw: Error: Not today."]);
  });
});
