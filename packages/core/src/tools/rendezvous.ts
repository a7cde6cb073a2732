/**
 * Which of several places a key belongs to: each place draws a number for the key, and the highest wins. A place that is taken away
 * leaves the keys of all others where they were, and so does one that is added, but for its own share.
 * Source: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous" (1996).
 */
export function rendezvousScore(placeSeed: number, key: string): number {
  return mixed(hash(placeSeed, key));
}

/** The seed of a place, from its name. */
export function rendezvousSeed(name: string): number {
  return mixed(hash(0x811c9dc5, name));
}

/** FNV-1a over UTF-16 units, 32 bits. */
function hash(start: number, text: string): number {
  let value = start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value;
}

/** The last step of MurmurHash3: FNV alone hardly moves the upper bits, by which the scores are compared. */
function mixed(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
