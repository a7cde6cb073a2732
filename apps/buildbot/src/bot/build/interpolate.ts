import type { Properties } from "../../contracts/values.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What every step may have of the bot's own environment; anything else it has to name: `env: { JAVA_HOME: "${JAVA_HOME}" }`. */
const PASSED = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"];
/** The bot's own settings, its token among them. */
const OWN = "BUILDBOT_";
const VARIABLE = /\$\{([^${}]+)\}/g;

/** `${name}` becomes the property of that name; others stay as they are. */
export function withProperties(text: string, properties: Properties): string {
  return text.replaceAll(VARIABLE, (all, name: string) => valueOf(properties, name) ?? all);
}

/**
 * A shell's text, in which `${name}` of a property becomes a variable of the shell. A property's value may come from anybody who names a
 * branch, and is never read as part of the command. (Within single quotes the shell looks for no variables.)
 */
export function shellCommand(
  text: string,
  properties: Properties,
): { readonly command: string; readonly variables: Record<string, string> } {
  const variables: Record<string, string> = {};
  const names = new Map<string, string>();
  const command = text.replaceAll(VARIABLE, (all, name: string) => {
    const value = valueOf(properties, name);
    if (value === undefined) return all;
    const variable = names.get(name) ?? `${OWN}PROPERTY_${names.size + 1}`;
    names.set(name, variable);
    variables[variable] = value;
    return `\${${variable}}`;
  });
  return { command, variables };
}

/**
 * The environment of a step: what is passed of the bot's, then the builder's, then its own; null takes away. `${VAR}` stands for the bot's
 * variable, or else for a property; there being none of both is told by `missing`.
 */
export function environmentOf(
  bot: Environment,
  layers: readonly Readonly<Record<string, string | null>>[],
  properties: Properties,
): { readonly env: Record<string, string>; readonly missing: string[] } {
  const env: Record<string, string> = {};
  const missing: string[] = [];
  for (const [name, value] of Object.entries(bot)) {
    if (value !== undefined && (PASSED.includes(name) || name.startsWith("LC_"))) env[name] = value;
  }
  env["CI"] = "true";
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) {
      if (value === null) delete env[name];
      else
        env[name] = value.replaceAll(VARIABLE, (_all, wanted: string) => {
          const found = (wanted.startsWith(OWN) ? undefined : valueOf(bot, wanted)) ?? valueOf(properties, wanted);
          if (found === undefined) missing.push(wanted);
          return found ?? "";
        });
    }
  }
  return { env, missing };
}

function valueOf(values: Environment, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
