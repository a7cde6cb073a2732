import { library } from "../../tools/tsdown/base.ts";

export default library({ entry: ["src/index.ts", "src/rpc-mdp-broker.ts", "src/rpc-mdp-dump.ts"], platform: "node" });
