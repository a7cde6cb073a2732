/** Texts of one message, in characters: within the 4 MiB that transports let pass, with room for what encoding adds. */
export const MESSAGE_CHARACTERS: number = 768 * 1024;

/** How many of them go into one message, from the first on: at least that one. */
export function countWithin<T>(items: readonly T[], size: (item: T) => number): number {
  let characters = 0;
  for (const [index, item] of items.entries()) {
    characters += size(item);
    if (characters > MESSAGE_CHARACTERS && index > 0) return index;
  }
  return items.length;
}
