export { ANONYMOUS_TOKEN, Auth, type Caller, nameOf } from "./auth.ts";
export { isAtLeast } from "./roles.ts";
export { botKey, hashOf, newToken } from "./tokens.ts";
