export {
  configurationHistory,
  type Edition,
  type Preview,
  previewConfiguration,
  readConfiguration,
  type Save,
  type Saved,
  saveConfiguration,
} from "./configuration.ts";
export { type Parsed, parseConfiguration } from "./parse.ts";
export type { Problem } from "./problems.ts";
