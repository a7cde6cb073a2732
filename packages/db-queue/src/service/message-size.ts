/** Texts of one message, in characters: within the 4 MiB that transports let pass, with room for what encoding adds. */
export const MESSAGE_CHARACTERS: number = 768 * 1024;

/** Of one command, after JSON was written into JSON. */
const MAX_ALONE_BYTES = 3.5 * 1024 * 1024;

/** Whether even a message of its own could not hold a command. */
export function isTooLargeAlone({ args, kwargs, meta }: { args: string; kwargs: string; meta: string }): boolean {
  const texts = [args, kwargs, meta];
  // Quotes are escaped, and a character has three bytes at most: what is short enough by that need not be counted.
  if ((args.length + kwargs.length + meta.length) * 6 <= MAX_ALONE_BYTES) return false;
  return Buffer.byteLength(JSON.stringify(texts)) > MAX_ALONE_BYTES;
}

/** How many of them go into one message, from the first on: at least that one. */
export function countWithin<T>(items: readonly T[], size: (item: T) => number): number {
  let characters = 0;
  for (const [index, item] of items.entries()) {
    characters += size(item);
    if (characters > MESSAGE_CHARACTERS && index > 0) return index;
  }
  return items.length;
}
