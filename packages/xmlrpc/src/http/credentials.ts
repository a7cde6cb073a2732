/** What an Authorization header shows, without where and for what. */
export interface ParsedCredentials {
  readonly scheme: "basic" | "bearer";
  readonly user: string;
  readonly secret: string;
}

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Credentials of an Authorization header: Basic (RFC 7617, UTF-8) or Bearer (RFC 6750). Undefined for another scheme and for what is not
 * wholly right: no colon, no base64, no UTF-8, nothing but a colon (hostile inputs H138). An empty
 * password of somebody is one that can be wrong like any other.
 */
export function parseAuthorization(header: string | undefined): ParsedCredentials | undefined {
  if (header === undefined) return undefined;
  const bearer = BEARER.exec(header)?.[1];
  if (bearer !== undefined) return { scheme: "bearer", user: "", secret: bearer };
  const encoded = BASIC.exec(header)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, "base64"));
  } catch {
    return undefined;
  }
  const colon = text.indexOf(":");
  if (colon < 0 || text === ":" || CONTROL.test(text)) return undefined;
  return { scheme: "basic", user: text.slice(0, colon), secret: text.slice(colon + 1) };
}
