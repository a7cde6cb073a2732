/** Whether a name fits one of the patterns: `*` is any text, `?` any character, and the case counts. */
export function fits(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => fitsOne(pattern, name));
}

// By hand: as a regular expression, a pattern with many stars could take for ever.
function fitsOne(pattern: string, name: string): boolean {
  let [at, from, star, resume] = [0, 0, -1, 0];
  while (from < name.length) {
    const wanted = pattern[at];
    if (wanted === "*") {
      star = at;
      resume = from;
      at += 1;
    } else if (wanted !== undefined && (wanted === "?" || wanted === name[from])) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      from = resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
