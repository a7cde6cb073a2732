import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { artefactHeaders, type ArtefactHead, Artefacts, checkArtefactName } from "../src/server/artefacts/index.ts";

let folder = "";
let artefacts: Artefacts;
beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), "buildbot-artefacts-")), "artefacts");
  artefacts = new Artefacts({ folder, maxArtefactBytes: 100 });
  await artefacts.begin();
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

const text = "the report";
const headOf = (of: string, more: Partial<ArtefactHead> = {}): ArtefactHead => ({
  name: "dist/report.txt",
  bytes: Buffer.byteLength(of),
  sha256: createHash("sha256").update(of).digest("hex"),
  ...more,
});
async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const each of texts) yield Buffer.from(each);
}

test("keeps what is as it was said to be, once or again", async () => {
  const head = headOf(text);
  expect(await artefacts.has(7, head)).toBe(false);
  await artefacts.receive(7, head, chunks("the ", "report"));
  await artefacts.receive(7, head, chunks(text));
  expect(await artefacts.has(7, head)).toBe(true);
  expect(readFileSync(artefacts.path(7, head.sha256), "utf8")).toBe(text);
  await artefacts.receive(7, headOf(""), chunks());
  expect(readdirSync(join(folder, "7"))).toHaveLength(2);
  expect(readdirSync(join(folder, "incoming"))).toEqual([]);
  await artefacts.remove(7);
  expect(existsSync(join(folder, "7"))).toBe(false);
});

test("keeps nothing of what is not", async () => {
  const cut = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("the ");
    throw new Error("the connection is gone");
  };
  await expect(artefacts.receive(7, headOf(text), chunks("the "))).rejects.toThrow("of 10 bytes 4 have come");
  await expect(artefacts.receive(7, headOf(text), chunks(text, "!"))).rejects.toThrow("of 10 bytes more have come");
  await expect(artefacts.receive(7, headOf(text), chunks("The report"))).rejects.toMatchObject({ code: "DATA_LOSS" });
  await expect(artefacts.receive(7, headOf(text), cut())).rejects.toThrow("the connection is gone");
  await expect(artefacts.receive(7, headOf(text, { bytes: 101 }), chunks(text))).rejects.toMatchObject({
    reason: "maxArtefactBytes",
  });
  for (const sha256 of ["", "../../etc/passwd", headOf(text).sha256.toUpperCase()]) {
    await expect(artefacts.receive(7, headOf(text, { sha256 }), chunks(text))).rejects.toThrow("64 hexadecimal digits");
    expect(() => artefacts.path(7, sha256)).toThrow("64 hexadecimal digits");
  }
  expect(readdirSync(folder)).toEqual(["incoming"]);
  expect(readdirSync(join(folder, "incoming"))).toEqual([]);
});

test.each([
  "../etc/passwd",
  "dist/../../x",
  "/etc/passwd",
  "..",
  ".",
  "a//b",
  "a/",
  "./a",
  "",
  "C:/x",
  String.raw`a\..\b`,
  "a\u0000.txt",
  "a\nb",
  "a\r\nset-cookie: x",
  "\u001B[31m",
  "gpj.\u202Eexe",
  "\uD800",
  "x".repeat(501),
])("does not take %j for a name", (name) => {
  expect(() => checkArtefactName(name)).toThrow("the artefact's name");
});

test("takes names of files, whatever language they are in", () => {
  for (const name of ["a", "dist/a b.txt", "Grüße/日本語.html", "...", ".hidden", "a..b", "<script>.html", '"; x="']) {
    expect(() => checkArtefactName(name)).not.toThrow();
  }
});

test("gives headers that no browser takes for a page", () => {
  expect(artefactHeaders(`dist/<b>"ü'.html`, 3)).toMatchObject({
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="_b____.html"; filename*=UTF-8''%3Cb%3E%22%C3%BC%27.html`,
    "x-content-type-options": "nosniff",
  });
});
