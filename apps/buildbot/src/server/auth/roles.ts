import { ROLES, type Role } from "../../contracts/values.ts";

/** Who may call a method: somebody of this role or a higher one, or bots alone. */
export type Needs = Role | "bot";

/**
 * Every method of every contract that is served. What does not stand here nobody may call. `shutdown` of a bot wants an admin besides. The
 * configuration holds secrets of webhooks, and says what runs on the bots: it is the admins' alone, to read as well.
 */
const NEEDS: Readonly<Record<string, Readonly<Record<string, Needs>>>> = {
  "buildbot.v1.Builds": {
    list: "viewer",
    get: "viewer",
    byNumber: "viewer",
    requests: "viewer",
    request: "viewer",
    force: "developer",
    rebuild: "developer",
    cancel: "developer",
    cancelRequest: "developer",
    lines: "viewer",
    searchLog: "viewer",
    follow: "viewer",
    tests: "viewer",
    testHistory: "viewer",
    changed: "viewer",
    queueChanged: "viewer",
  },
  "buildbot.v1.House": {
    builders: "viewer",
    builder: "viewer",
    trends: "viewer",
    changes: "viewer",
    repositories: "viewer",
    changed: "viewer",
  },
  "buildbot.v1.Bots": {
    list: "viewer",
    create: "admin",
    remove: "admin",
    command: "developer",
    commands: "viewer",
    cancelCommand: "developer",
    changed: "viewer",
    commandChanged: "viewer",
  },
  "buildbot.v1.Settings": { get: "admin", preview: "admin", save: "admin", history: "admin" },
  "buildbot.v1.Users": { whoami: "viewer", list: "admin", create: "admin", remove: "admin" },
  "buildbot.v1.Desk": { "*": "bot" },
  // The queue's own rights say which rows a bot sees.
  "rpc.queue.v1.CommandService": { "*": "bot" },
  "rpc.queue.v1.StoreService": { "*": "bot" },
  "rpc.queue.v1.WakeUpService": { "*": "bot" },
  "rpc.health.v1.Health": { "*": "viewer" },
  "software_dev.buildrequest": { ...readable(), create: "developer" },
  "software_dev.build": readable(),
  "software_dev.builder": readable(),
  "software_dev.commit": readable(),
  "software_dev.buildbot": readable(),
  "software_dev.test_result": readable(),
};

function readable(): Record<string, Needs> {
  return { search: "viewer", read: "viewer", search_read: "viewer", search_count: "viewer" };
}

/** By its full name, `buildbot.v1.Builds.force`; undefined: nobody may call it. */
export function needsOf(method: string): Needs | undefined {
  const dot = method.lastIndexOf(".");
  const contract = method.slice(0, dot);
  const name = method.slice(dot + 1);
  const methods = Object.hasOwn(NEEDS, contract) ? NEEDS[contract] : undefined;
  if (methods === undefined) return undefined;
  if (Object.hasOwn(methods, name)) return methods[name];
  return methods["*"];
}

export function isAtLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}
