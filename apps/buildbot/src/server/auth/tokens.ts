import { createHash, createHmac, randomBytes } from "node:crypto";
import { link, readFile, unlink, writeFile } from "node:fs/promises";

/** 32 random bytes, as text without characters that a URL or a shell would mind. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** What the database keeps of a token: enough of it is random, so that a quick hash is as good as a slow one. */
export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/**
 * The key that bots' secrets are made with: a file beside the database and never in it. Made by the first server that asks; two that start at
 * the same time have the same one.
 */
export async function botKey(file: string): Promise<Buffer> {
  // Linked when it is whole: nobody reads half a key.
  const draft = `${file}.${randomBytes(8).toString("hex")}`;
  await writeFile(draft, randomBytes(32), { flag: "wx", mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  } finally {
    await unlink(draft);
  }
  const key = await readFile(file);
  if (key.length !== 32)
    throw new Error(`${file} must hold 32 bytes: take it back from a backup, or remove it and make all bots anew`);
  return key;
}

/**
 * A bot's secret. The session proves it without sending it, so the server has to know it; it does not stand anywhere, but follows from the key
 * and from what the database holds of the bot. A copy of the database lets nobody in, and a bot that is made anew has another one.
 */
export function botSecret(key: Buffer, name: string, salt: string): string {
  return createHmac("sha256", key)
    .update(JSON.stringify([name, salt]))
    .digest("base64url");
}
