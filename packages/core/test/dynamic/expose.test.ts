import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dynamicRouter, expose, rpcTo } from "../../src/index.ts";
import { failure, memory, refusalOf, thrownBy } from "../rig.ts";
import type * as Decorated from "./decorated.ts";

const HERE = import.meta.dirname;

/** The decorated classes, with their decorators compiled away as a user's compiler does it. */
async function decorated(): Promise<typeof Decorated> {
  // As deep in the package as this folder, so that relative imports hold.
  const out = join(HERE, "..", "..", ".results", "decorated");
  mkdirSync(out, { recursive: true });
  const tsc = join(HERE, "..", "..", "..", "..", "node_modules", ".bin", "tsc");
  const flags = "--ignoreConfig --noCheck --noResolve --target es2022 --module esnext --outDir".split(" ");
  const { status, stdout } = spawnSync(tsc, [join(HERE, "decorated.ts"), ...flags, out], { encoding: "utf8" });
  if (status !== 0) throw new Error(stdout);
  return (await import(join(out, "decorated.js"))) as typeof Decorated;
}

describe("K06 expose as a decorator", () => {
  it("marks methods, by their own names or by others, and leaves the rest alone", async () => {
    const { Home } = await decorated();
    const router = dynamicRouter();
    router.register(new Home());
    expect(router.commands.toSorted()).toEqual(["count", "do_something", "greet", "who"]);
    const client = dynamicRouter();
    client.register(() => "me", { name: "name" });
    const rpc = rpcTo(memory(router, { serve: client }));
    expect(await rpc("do_something", [6])).toBe(42);
    expect([await rpc("count"), await rpc("count")]).toEqual([1, 2]);
    expect(await rpc("greet", ["hello"])).toBe("hello me");
    expect(await rpc("who")).toBe("me");
    for (const hidden of ["hidden", "doIt", "askName", "constructor"])
      expect((await failure(rpc(hidden))).code).toBe("UNIMPLEMENTED");
  });

  it("asks for a mark of its own on what a subclass puts in the place of a marked method", async () => {
    const { QuietHome } = await decorated();
    const router = dynamicRouter();
    router.register(new QuietHome());
    expect(router.commands.toSorted()).toEqual(["do_something", "greet", "who"]);
  });

  it("refuses private, static and symbol methods where they are declared", async () => {
    const { mistakes } = await decorated();
    expect(mistakes.map((mistake) => refusalOf(mistake)?.code)).toEqual(Array(3).fill("INVALID_ARGUMENT"));
  });

  it("says so when the compiler makes another kind of decorators", () => {
    const legacy = expose("x") as unknown as (target: object, key: string) => void;
    expect(thrownBy(() => legacy(() => undefined, "method")).message).toContain("experimentalDecorators");
    const field = { kind: "field", name: "x", addInitializer: () => undefined } as unknown;
    expect(thrownBy(() => expose()(() => undefined, field as ClassMethodDecoratorContext)).message).toContain("method");
  });
});

describe("K06 expose as a function", () => {
  it("gives the function back, and its name and peer to the registry", async () => {
    const greet = expose(
      (peer: { readonly peer: { readonly endpoint: string } }, text: string) => `${text} ${peer.peer.endpoint}`,
      {
        name: "greet",
        passPeer: true,
      },
    );
    const router = dynamicRouter();
    router.register(greet);
    expect(await rpcTo(memory(router))("greet", ["hello"])).toMatch(/^hello memory:/);
  });

  it("marks members of instances without decorators", async () => {
    class Home {
      #count = 0;
      readonly step = expose(() => ++this.#count, { name: "step" });
      other(): void {
        // Not marked.
      }
    }
    const router = dynamicRouter();
    router.register(new Home());
    expect(router.commands).toEqual(["step"]);
    expect(await rpcTo(memory(router))("step")).toBe(1);
  });
});
