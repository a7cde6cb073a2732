export { ANONYMOUS_TOKEN, Auth, type Caller, identityOf, nameOf } from "./auth.ts";
export { isAtLeast } from "./roles.ts";
export { Sessions } from "./sessions.ts";
export { botKey, hashOf, newToken } from "./tokens.ts";
