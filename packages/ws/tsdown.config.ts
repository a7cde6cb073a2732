import { library } from "../../tools/tsdown/base.ts";

export default library();
