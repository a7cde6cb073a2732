import { type ImplementationOf, RpcError } from "@rpc/core";
import type { Users } from "../../contracts/page.ts";
import { hashOf, identityOf, newToken } from "../auth/index.ts";
import { createUser, listUsers, removeUser } from "../store/index.ts";
import type { PageParts } from "./page-parts.ts";

export function users({ store, auth, bus }: PageParts): ImplementationOf<typeof Users> {
  return {
    whoami: async (_input, { peer }) => {
      const caller = await auth.callerOf(peer.identity);
      if (caller === undefined) throw new RpcError("UNAUTHENTICATED", "the user of this session has been removed");
      return caller;
    },
    list: async () => (await listUsers(store.db)).map(({ name, role, createdAt }) => ({ name, role, createdAt })),
    create: async ({ name, role }) => {
      const token = newToken();
      await createUser(store.db, { name, role, tokenHash: hashOf(token), at: store.wallClock() });
      return { token };
    },
    remove: async ({ name }) => {
      const removed = await store.transaction(async ({ db }) => {
        const all = await listUsers(db);
        const isLastAdmin = all.every((user) => user.name === name || user.role !== "admin");
        if (isLastAdmin && all.some((user) => user.name === name)) {
          throw new RpcError("FAILED_PRECONDITION", `${name} is the last admin: make another one first`);
        }
        if (!(await removeUser(db, name))) throw new RpcError("NOT_FOUND", `there is no user ${name}`);
        return all.filter((user) => user.name === name);
      });
      for (const user of removed) bus.emit("callerGone", identityOf(user));
      return {};
    },
  };
}
