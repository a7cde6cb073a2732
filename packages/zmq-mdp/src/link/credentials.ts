/** Who a client or a worker shows itself to be, where the broker asks. Keys are Z85 text of 40 characters, as `zeromq.curveKeyPair()` gives them. */
export type MdpCredentials =
  | { readonly username: string; readonly password: string }
  | {
      /** The broker's public key: nobody else can pass for it. */
      readonly serverKey: string;
      readonly publicKey: string;
      readonly secretKey: string;
    };

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
