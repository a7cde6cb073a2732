import { createContext, type ReactNode, use } from "react";
import { type Role, ROLES } from "../../../src/contracts/values.ts";
import { users } from "../rpc/connection.ts";
import { type Loaded, useLoaded } from "./use-loaded.ts";

export interface Me {
  readonly name: string;
  readonly role: Role;
}

const MeContext = createContext<Loaded<Me> | undefined>(undefined);

export function MeProvider({ children }: { readonly children: ReactNode }) {
  const me = useLoaded<Me>("me", (signal) => users.whoami(undefined, { signal }));
  return <MeContext value={me}>{children}</MeContext>;
}

export function useMe(): Loaded<Me> {
  const me = use(MeContext);
  if (me === undefined) throw new Error("useMe outside of MeProvider");
  return me;
}

/** Whether the server would let this user; it decides for itself, this only keeps the page from offering what it refuses. */
export function useMay(role: Role): boolean {
  const { value } = useMe();
  return value !== undefined && ROLES.indexOf(value.role) >= ROLES.indexOf(role);
}
