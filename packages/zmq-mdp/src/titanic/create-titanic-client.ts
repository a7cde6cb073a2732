import { RpcError } from "@rpc/core";
import type { MdpClient, MdpRequestOptions } from "../classic/create-mdp-client.ts";
import type { Frames } from "../frames/words.ts";

/** Requests that are kept until somebody answers them, and asked about by their ids. */
export interface TitanicClient {
  /** Gives a request away; when it resolves, the request is kept. Gives its id. */
  request(service: string, body: Frames, options?: MdpRequestOptions): Promise<string>;
  /** The reply; undefined: there is none yet. Rejects NOT_FOUND for an id that nobody knows. Asking changes nothing. */
  reply(id: string, options?: MdpRequestOptions): Promise<Frames | undefined>;
  /** Forgets request and reply. */
  close(id: string, options?: MdpRequestOptions): Promise<void>;
}

/** Speaks to Titanic by a client for messages, which stays the caller's to close. */
export function createTitanicClient(client: MdpClient): TitanicClient {
  const ask = async (
    service: string,
    body: Frames,
    options: MdpRequestOptions | undefined,
  ): Promise<readonly [string, Frames]> => {
    const [status, ...rest] = await client.rawRequest(service, body, options);
    // Text behind the digits is for people.
    const code = Buffer.from(status ?? [])
      .toString("latin1")
      .slice(0, 3);
    if (code === "200" || code === "300") return [code, rest];
    if (code === "400") {
      const message = `${service}: there is no such request, or it cannot be one`;
      throw new RpcError("NOT_FOUND", message, { reason: "TITANIC" });
    }
    throw new RpcError("INTERNAL", `${service}: Titanic answers ${code}`, { reason: "TITANIC" });
  };
  return {
    async request(service, body, options) {
      const [, [id]] = await ask("titanic.request", [Buffer.from(service), ...body], options);
      return Buffer.from(id ?? []).toString("latin1");
    },
    async reply(id, options) {
      const [code, body] = await ask("titanic.reply", [Buffer.from(id)], options);
      return code === "200" ? body : undefined;
    },
    async close(id, options) {
      await ask("titanic.close", [Buffer.from(id)], options);
    },
  };
}
