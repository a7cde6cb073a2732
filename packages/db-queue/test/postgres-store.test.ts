import { openPostgresRig } from "./postgres-rig.ts";
import { storeSuite } from "./store-suite.ts";

storeSuite({ name: "postgres", open: openPostgresRig });
storeSuite({
  name: "postgres with triggers, in a schema that is a word of SQL",
  open: (options) => openPostgresRig(options, { notify: "trigger", schema: "user" }),
});
