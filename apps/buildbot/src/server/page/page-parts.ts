import type { Auth } from "../auth/index.ts";
import type { Bus } from "../bus.ts";
import type { Commands } from "../commands/index.ts";
import type { Logs } from "../logs/index.ts";
import type { Store } from "../store/index.ts";

export interface PageParts {
  readonly store: Store;
  readonly auth: Auth;
  readonly bus: Bus;
  readonly logs: Logs;
  readonly commands: Commands;
}
