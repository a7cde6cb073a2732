import { library } from "../../tools/tsdown/base.ts";

export default library({ entry: ["src/rpc-queue.ts"], dts: false });
