import { RpcError } from "@rpc/core";
import { refused } from "../calls/errors.ts";

/** Who a client or a worker shows itself to be, where the broker asks. Keys are Z85 text of 40 characters, as `zeromq.curveKeyPair()` gives them. */
export type MdpCredentials =
  | { readonly username: string; readonly password: string }
  | {
      /** The broker's public key: nobody else can pass for it. */
      readonly serverKey: string;
      readonly publicKey: string;
      readonly secretKey: string;
    };

const KEY = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/;
const MOST_BYTES = 255;

/** Throws INVALID_ARGUMENT for what no broker can be shown. */
export function checkedCredentials(credentials: MdpCredentials | undefined): MdpCredentials | undefined {
  if (credentials === undefined) return undefined;
  if ("username" in credentials) {
    const { username, password } = credentials;
    if ([username, password].every((text) => typeof text === "string" && Buffer.byteLength(text) <= MOST_BYTES))
      return credentials;
    throw refused(`credentials: username and password are texts of ${MOST_BYTES} bytes at most`);
  }
  const { serverKey, publicKey, secretKey } = credentials;
  if ([serverKey, publicKey, secretKey].every((key) => typeof key === "string" && KEY.test(key))) return credentials;
  throw refused("credentials: serverKey, publicKey and secretKey are Z85 texts of 40 characters each");
}

/** What whoever wanted to come in is told. */
export function notLetIn(endpoint: string): RpcError {
  return new RpcError("UNAUTHENTICATED", `${endpoint} does not accept who we are`, { reason: "UNAUTHENTICATED" });
}

interface SocketSecurity {
  plainUsername?: string;
  plainPassword?: string;
  curveServerKey?: string;
  curvePublicKey?: string;
  curveSecretKey?: string;
}

/** The same as options of a socket. */
export function securityOf(credentials: MdpCredentials | undefined): SocketSecurity {
  if (credentials === undefined) return {};
  if ("username" in credentials) return { plainUsername: credentials.username, plainPassword: credentials.password };
  const { serverKey, publicKey, secretKey } = credentials;
  return { curveServerKey: serverKey, curvePublicKey: publicKey, curveSecretKey: secretKey };
}
