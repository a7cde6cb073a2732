export { ANONYMOUS_TOKEN, Auth, type AuthOptions, type Caller, nameOf } from "./auth.ts";
export { isAtLeast, needsOf } from "./roles.ts";
export { botKey, hashOf, newToken } from "./tokens.ts";
