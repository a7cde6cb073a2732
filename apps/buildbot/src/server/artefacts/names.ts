import { RpcError } from "@rpc/core";

const MOST_CHARS = 500;
// oxlint-disable-next-line no-control-regex -- it is what must not be there. Marks that turn the direction of text hide what a name ends in.
const REFUSED = /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069\\]/;

/**
 * Throws INVALID_ARGUMENT for a name that is no plain path below the work tree: `dist/report.html`. No file of the server is ever called so, but
 * who downloads it may call one so.
 */
export function checkArtefactName(name: string): void {
  const why = whyRefused(name);
  if (why === undefined) return;
  throw new RpcError("INVALID_ARGUMENT", `the artefact's name ${JSON.stringify(name.slice(0, 100))} ${why}`, {
    reason: "ARTEFACT_NAME",
  });
}

function whyRefused(name: string): string | undefined {
  if (name === "" || name.length > MOST_CHARS) return `must have from 1 to ${MOST_CHARS} characters`;
  if (!name.isWellFormed() || REFUSED.test(name)) return "has a character that no name may have";
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) return "must be a path below the work tree";
  const parts = name.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    return 'has an empty part, or one of only dots: ".", ".."';
  return undefined;
}

/** Of an answer that gives it to a browser: to be kept as a file, and never to be taken for a page of ours. */
export function artefactHeaders(name: string, bytes: number): Readonly<Record<string, string>> {
  const base = name.split("/").at(-1) ?? "";
  const ascii = base.replaceAll(/[^\w.+-]/g, "_");
  // RFC 8187: encodeURIComponent leaves four characters that are none of its.
  const utf8 = encodeURIComponent(base).replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  return {
    "content-type": "application/octet-stream",
    "content-length": String(bytes),
    "content-disposition": `attachment; filename="${ascii}"; filename*=UTF-8''${utf8}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-cache",
  };
}
