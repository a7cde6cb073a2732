import { library } from "../../tools/tsdown/base.ts";

// Beside it, in `dist/web`, Vite puts the page: each cleans only its own.
export default library({ entry: ["src/cli/main.ts"], platform: "node", dts: false, clean: ["dist/*.js"] });
