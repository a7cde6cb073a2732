/**
 * Who is let in, told in the handshake: before it nothing of a peer is read. Keys are Z85 text of 40 characters, as
 * `zeromq.curveKeyPair()` gives them. There is no mechanism without a rule who may pass.
 */
export type MdpAuth =
  | {
      /** Encrypts, and proves the broker's key to the peer and the peer's to the broker. */
      readonly mechanism: "curve";
      readonly secretKey: string;
      readonly admit: readonly string[] | ((publicKey: string, address: string) => boolean | Promise<boolean>);
    }
  | {
      /** Name and password, readable for everybody on the way: for loopback, or inside of something that encrypts. */
      readonly mechanism: "plain";
      readonly admit:
        | Readonly<Record<string, string>>
        | ((username: string, password: string, address: string) => boolean | Promise<boolean>);
    };
