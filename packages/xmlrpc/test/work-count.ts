/* oxlint-disable typescript/unbound-method, no-extend-native -- the methods are replaced while the work runs, which waits for nothing */

/**
 * How many characters the methods of strings and patterns look at while `work` runs: what reading a document costs, counted and not timed. A
 * step that goes over the same characters again and again shows in it, on a slow machine as on a fast one.
 */
export function charactersLookedAt(work: () => unknown): number {
  let characters = 0;
  const { charCodeAt, indexOf, lastIndexOf, includes } = String.prototype;
  const { exec } = RegExp.prototype;
  const from = (position: number | undefined): number => Math.max(0, position ?? 0);
  const restore = (): void => {
    Object.assign(String.prototype, { charCodeAt, indexOf, lastIndexOf, includes });
    RegExp.prototype.exec = exec;
  };
  String.prototype.charCodeAt = function (index) {
    characters += 1;
    return charCodeAt.call(this, index);
  };
  String.prototype.indexOf = function (what, position) {
    const at = indexOf.call(this, what, position);
    characters += (at === -1 ? this.length : at) - from(position) + 1;
    return at;
  };
  String.prototype.lastIndexOf = function (what, position) {
    const at = lastIndexOf.call(this, what, position);
    characters += Math.min(position ?? this.length, this.length) - at;
    return at;
  };
  String.prototype.includes = function (what, position) {
    const at = indexOf.call(this, what, position);
    characters += (at === -1 ? this.length : at) - from(position) + 1;
    return at !== -1;
  };
  // `test`, and a string's replace, search and split, go through it as well.
  RegExp.prototype.exec = function (text) {
    const start = this.global || this.sticky ? this.lastIndex : 0;
    const match = exec.call(this, text);
    if (match !== null) characters += match.index + match[0].length - start + 1;
    else characters += this.sticky ? 1 : text.length - start + 1;
    return match;
  };
  try {
    work();
  } finally {
    restore();
  }
  return characters;
}
