export { addressOf, type ButtonMethod, Commands, type CommandsOptions } from "./commands.ts";
