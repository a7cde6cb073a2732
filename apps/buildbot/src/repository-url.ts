// What of a repository's address is nobody's business but git's. Both the server, which shows it, and the bots, whose git speaks of it, ask here.

/** As git reads it: up to the last `@` before the path. */
const ADDRESS = /^(?<scheme>[a-z][a-z\d+.-]*):\/\/(?<who>[^/]*)@/i;
/** What hosts want in a password's place where the user is a token. */
const NO_PASSWORDS = ["", "x-oauth-basic"];
/** Over HTTP a lone user may be a token; those are longer than names such as `git`. */
const SHORTEST_TOKEN = 8;

/** The words of an address that no log, page or message may show, as they stand there and decoded. */
export function secretsIn(url: string): string[] {
  const { scheme = "", who } = ADDRESS.exec(url)?.groups ?? {};
  if (who === undefined) return [];
  const colon = who.indexOf(":");
  const [user, password] = colon < 0 ? [who, ""] : [who.slice(0, colon), who.slice(colon + 1)];
  const isToken = /^https?$/i.test(scheme) && user.length >= SHORTEST_TOKEN;
  const secret = !NO_PASSWORDS.includes(password) ? password : isToken ? user : "";
  return secret === "" ? [] : [...new Set([secret, decoded(secret)])];
}

/** The text, or the address itself, without them. */
export function withoutSecrets(text: string, url: string = text): string {
  return secretsIn(url).reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
