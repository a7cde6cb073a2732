import { fileURLToPath } from "node:url";
import { suite } from "../../tools/vitest/base.ts";

// Generated code under test runs against these sources, not against the last build.
export default suite({
  alias: { "@rpc/protobuf/generated": fileURLToPath(new URL("src/generated.ts", import.meta.url)) },
});
