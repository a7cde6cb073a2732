import { openSqliteRig } from "./sqlite-rig.ts";
import { storeSuite } from "./store-suite.ts";

storeSuite({ name: "sqlite", open: openSqliteRig });
