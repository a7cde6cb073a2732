import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describe as describeCommits, findCommit, newCommits } from "../src/bot/git/commits.ts";
import { Mirrors } from "../src/bot/git/mirror.ts";
import { makeWorkTree } from "../src/bot/git/work-tree.ts";
import { secretsIn, withoutSecrets } from "../src/repository-url.ts";
import { makeRepository, type Repository } from "./git-rig.ts";

let folder = "";
let source: Repository;
let mirrors: Mirrors;
const settings = { clock: systemClock, env: process.env };
const call = { signal: new AbortController().signal };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-git-"));
  source = makeRepository(join(folder, "source"));
  mirrors = new Mirrors(join(folder, "mirrors"), settings);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const failureOf = (run: Promise<unknown>): Promise<string> => run.then(() => "it went well", String);

describe("mirror", () => {
  it("gives trees of any commit, which share its objects and leave it as it is", async () => {
    const first = source.commit("first", { "a.txt": "1", "sub/b.txt": "b" });
    const second = source.commit("second — ünï", { "a.txt": "2" });
    const [mirror, again] = await Promise.all([mirrors.update(source.path, call), mirrors.update(source.path, call)]);
    expect(again).toBe(mirror);
    const path = join(folder, "tree");
    await makeWorkTree({ mirror, path, hash: first, url: source.path }, { ...settings, ...call });
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("1");
    expect(existsSync(join(path, "sub", "b.txt"))).toBe(true);
    const inMirror = { ...settings, ...call, cwd: mirror };
    expect(await findCommit({ branch: "main" }, inMirror)).toEqual({
      hash: second,
      parent: first,
      author: "Ada <ada@example.org>",
      at: expect.any(Number),
      subject: "second — ünï",
    });
    expect(await findCommit({ branch: "main", revision: first.slice(0, 8) }, inMirror)).toMatchObject({ hash: first });
    await expect(findCommit({ branch: "gone" }, inMirror)).rejects.toThrow("no branch gone");
    await expect(findCommit({ branch: "main", revision: "--all" }, inMirror)).rejects.toThrow("no commit --all");
  });

  it("follows branches that move, go, and are forced back, and finds commits that have lost their branch", async () => {
    const first = source.commit("first");
    await mirrors.update(source.path, call);
    const lost = source.commit("lost");
    source.git("reset", "--quiet", "--hard", first);
    source.git("branch", "extra");
    const mirror = await mirrors.update(source.path, call);
    const inMirror = { ...settings, ...call, cwd: mirror };
    expect((await findCommit({ branch: "extra" }, inMirror)).hash).toBe(first);
    source.git("branch", "-D", "extra");
    await mirrors.update(source.path, call);
    await expect(findCommit({ branch: "extra" }, inMirror)).rejects.toThrow("no branch extra");
    source.git("config", "uploadpack.allowAnySHA1InWant", "true");
    await mirrors.update(source.path, call, lost);
    expect((await findCommit({ branch: "main", revision: lost }, inMirror)).subject).toBe("lost");
  });

  it("does not ask when the commit is there, and says what git says when it may not", async () => {
    const first = source.commit("first");
    await mirrors.update(source.path, call);
    rmSync(source.path, { recursive: true });
    expect(await mirrors.update(source.path, call, first)).toBe(mirrors.pathOf(source.path));
    await expect(mirrors.update(source.path, call)).rejects.toThrow(
      /git (fetch|ls-remote): fatal: .*does not appear to be a git repository/,
    );
    await expect(mirrors.update("--upload-pack=touch /tmp/bot-git-x", call)).rejects.toThrow("fatal");
    expect(existsSync("/tmp/bot-git-x")).toBe(false);
    await expect(mirrors.update("ext::sh -c true", call)).rejects.toThrow("not allowed");
  });

  it("makes a broken copy anew, and removes the locks of a bot that was killed", async () => {
    const hash = source.commit("first");
    const mirror = await mirrors.update(source.path, call);
    writeFileSync(join(mirror, "packed-refs"), "rubbish\n");
    writeFileSync(join(mirror, "HEAD"), "rubbish");
    const said: string[] = [];
    await mirrors.update(source.path, { ...call, say: (line) => said.push(line) });
    expect(said.join("\n")).toContain("the mirror is made anew");
    expect((await findCommit({ branch: "main" }, { ...settings, ...call, cwd: mirror })).hash).toBe(hash);
    writeFileSync(join(mirror, "refs", "heads", "main.lock"), "");
    source.commit("second");
    await mirrors.unlock();
    await mirrors.update(source.path, call);
    expect(existsSync(join(mirror, "refs", "heads", "main.lock"))).toBe(false);
  });

  it("removes what nobody has used for long", async () => {
    source.commit("first");
    const mirror = await mirrors.update(source.path, call);
    expect(await mirrors.removeUnused(Date.now() - 1_000)).toBe(0);
    await utimes(mirror, 1_000, 1_000);
    expect(await mirrors.removeUnused(Date.now() - 1_000)).toBe(1);
    expect(existsSync(mirror)).toBe(false);
  });

  it("is in use when what it has is enough", async () => {
    const first = source.commit("first");
    const mirror = await mirrors.update(source.path, call);
    await utimes(mirror, 1_000, 1_000);
    await mirrors.update(source.path, call, first);
    expect(await mirrors.removeUnused(Date.now() - 60_000)).toBe(0);
  });

  it("becomes few packs, with what has lost its branch", async () => {
    const first = source.commit("first");
    const mirror = await mirrors.update(source.path, call);
    const lost = source.commit("lost");
    await mirrors.update(source.path, call);
    await mirrors.tidy(call, -1);
    for (const name of ["a", "b", "c", "d"]) {
      source.commit(name);
      await mirrors.update(source.path, call);
      await mirrors.tidy(call, -1);
    }
    source.git("reset", "--quiet", "--hard", first);
    await mirrors.update(source.path, call);
    await mirrors.tidy(call, -1);
    const packs = readdirSync(join(mirror, "objects", "pack"));
    expect(packs.filter((name) => name.endsWith(".pack")).length).toBeLessThan(4);
    const inMirror = { ...settings, ...call, cwd: mirror };
    expect((await describeCommits([first, lost], inMirror)).map(({ hash }) => hash)).toEqual([first, lost]);
    await mirrors.tidy(call);
    expect(readdirSync(join(mirror, "objects", "pack"))).toEqual(packs);
  });

  it("tells nobody how it gets in", async () => {
    const host = createServer((_request, response) => {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    });
    await new Promise<void>((resolve) => void host.listen(0, "127.0.0.1", resolve));
    const { port } = host.address() as AddressInfo;
    const said: string[] = [];
    for (const who of ["t0ken-of-ada", "ada:t0ken-of-ada"]) {
      const url = `http://${who}@127.0.0.1:${port}/x.git`;
      const told = { ...call, say: (line: string) => said.push(line) };
      const failures = [await failureOf(mirrors.heads(url, told)), await failureOf(mirrors.update(url, told))];
      expect(failures.join("\n")).toMatch(/GitError: git ls-remote: fatal.*\n.*GitError: git fetch: fatal/);
      expect(failures.join("\n") + said.join("\n")).not.toContain("t0ken");
    }
    expect(readdirSync(join(folder, "mirrors")).join()).not.toContain("t0ken");
    await new Promise((resolve) => host.close(resolve));
  });
});

describe("commits", () => {
  it("are those since the last look, the oldest first, and the head alone where nothing is known", async () => {
    const hashes = [source.commit("one"), source.commit("two"), source.commit("three")];
    const mirror = await mirrors.update(source.path, call);
    const inMirror = { ...settings, ...call, cwd: mirror };
    const [one, two, three = ""] = hashes;
    const since = async (known: string | undefined, most = 100) =>
      (await newCommits({ head: three, known, most }, inMirror)).map(({ hash }) => hash);
    expect(await since(one)).toEqual([two, three]);
    expect(await since(one, 1)).toEqual([three]);
    expect(await since(undefined)).toEqual([three]);
    expect(await since("f".repeat(40))).toEqual([three]);
    // Half a character would keep the server from hearing of it.
    const face = "\u{1F600}";
    const long = source.commit("x".repeat(499) + face);
    await mirrors.update(source.path, call);
    expect((await describeCommits([long], inMirror)).map(({ subject }) => subject)).toEqual([
      `${"x".repeat(499)}\uFFFD`,
    ]);
    expect(
      (await describeCommits([three, "nonsense", "e".repeat(40), one ?? ""], inMirror)).map(({ hash }) => hash),
    ).toEqual([three, one]);
  });
});

describe("addresses", () => {
  it("are shown without what lets in", () => {
    const cases: [string, string[], string][] = [
      ["https://ada:se%40cret@example.org/x.git", ["se%40cret", "se@cret"], "https://ada:***@example.org/x.git"],
      ["https://ada:se@cret@example.org/x.git", ["se@cret"], "https://ada:***@example.org/x.git"],
      ["https://t0ken-of-ada@example.org/x.git", ["t0ken-of-ada"], "https://***@example.org/x.git"],
      ["https://t0ken-of-ada:@example.org/x.git", ["t0ken-of-ada"], "https://***:@example.org/x.git"],
      ["https://t0ken-of-ada:x-oauth-basic@example.org/x", ["t0ken-of-ada"], "https://***:x-oauth-basic@example.org/x"],
      ["https://git@example.org/x.git", [], "https://git@example.org/x.git"],
      ["ssh://gitolite3@example.org/x.git", [], "ssh://gitolite3@example.org/x.git"],
      ["git@example.org:x.git", [], "git@example.org:x.git"],
      ["https://example.org/x@y/z.git", [], "https://example.org/x@y/z.git"],
      ["/srv/x.git", [], "/srv/x.git"],
    ];
    for (const [url, secrets, shown] of cases) {
      expect(secretsIn(url)).toEqual(secrets);
      expect(withoutSecrets(url)).toBe(shown);
    }
    expect(withoutSecrets("fatal: se@cret, se%40cret", "https://ada:se%40cret@example.org/")).toBe("fatal: ***, ***");
  });
});
