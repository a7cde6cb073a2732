/**
 * The clocks of bots: what a bot tells has happened since its build began and is over by now, whatever its clock says. How far one is off is
 * remembered, so that what lies between is right as well.
 */
export class BotClocks {
  readonly #shifts = new Map<string, number>();

  /** By the server's clock. */
  instant(bot: string, at: number, { from, to }: { readonly from: number; readonly to: number }): number {
    let shift = this.#shifts.get(bot) ?? 0;
    if (at + shift < from) shift = from - at;
    if (at + shift > to) shift = to - at;
    this.#shifts.set(bot, shift);
    return at + shift;
  }
}
