/**
 * How many ended commands of each address statistics look at: the newest, of few addresses at most `ofEach`, of many an equal share of `ofAll`,
 * yet no less than `least`. A process that asks every few seconds must not read hundreds of thousands.
 */
export const NEWEST_ENDED = { ofEach: 10_000, ofAll: 20_000, least: 100 } as const;
