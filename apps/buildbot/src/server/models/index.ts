export { modelHandlers } from "./models.ts";
