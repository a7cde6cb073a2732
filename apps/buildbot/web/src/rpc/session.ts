import { RpcError } from "@rpc/core";

/** Who the page is, and what it shows to `/ws` for one connection. The user's token is in a cookie that no script can read. */
interface Session {
  readonly ticket: string;
}

/** A fresh one for each connection. Throws UNAUTHENTICATED where nobody may look without signing in. */
export async function ticket(): Promise<string> {
  let response: Response;
  try {
    response = await fetch("/session", { cache: "no-store" });
  } catch (cause) {
    throw new RpcError("UNAVAILABLE", "the server cannot be reached", { cause });
  }
  if (response.status === 401) throw new RpcError("UNAUTHENTICATED", "sign in first");
  if (!response.ok) throw new RpcError("UNAVAILABLE", `the server answers ${response.status}`);
  return ((await response.json()) as Session).ticket;
}

/** The page begins anew with it: what was made for one user shows nothing of another's. Throws with the server's words. */
export async function signIn(token: string): Promise<void> {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!response.ok) throw new RpcError("UNAUTHENTICATED", (await response.text()).trim());
  location.reload();
}

export async function signOut(): Promise<void> {
  const response = await fetch("/logout", { method: "POST" });
  if (!response.ok) throw new RpcError("UNAVAILABLE", (await response.text()).trim());
  location.assign("/");
}
