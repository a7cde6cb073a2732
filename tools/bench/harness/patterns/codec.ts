/** Codec: one reply of many rows, read and written in one process, without a network. All get the same bytes. */
import { isDeepStrictEqual } from "node:util";
import { MeasuredProcess } from "../child-process.ts";
import type { Answers } from "../control.ts";
import type { CodecReading, CodecWork } from "../entrant.ts";
import { loadPattern } from "../load-entrant.ts";

const ROWS = 1_000;
const BIG_REPLY_BYTES = 20_000_000;
/** Compiled by replies, not by seconds: ours gains a third between its first and its hundredth. */
const WARM_UP_REPLIES = 100;
const WARM_UP_MAX_WINDOWS = 5;
const START_LIMIT_MS = 60_000;
const BIG_REPLY_LIMIT_MS = 120_000;
const SLACK_MS = 60_000;

export interface CodecSpeed {
  /** Replies per second. */
  readonly decode: number;
  readonly encode: number;
}

/** Each half is warmed up for as long as it is measured, and longer where replies are slow. */
export async function measureCodecSpeed(entrantName: string, durationMs: number): Promise<CodecSpeed> {
  return inProcess(entrantName, async (process) => {
    await process.ask("openReply", {}, START_LIMIT_MS);
    const perSecond = async (work: "decode" | "encode"): Promise<number> => {
      const repeat = (): Promise<CodecReading> =>
        process.ask("repeatCodec", { work, durationMs }, durationMs + SLACK_MS);
      let warm = 0;
      for (let window = 0; window < WARM_UP_MAX_WINDOWS && (window === 0 || warm < WARM_UP_REPLIES); window++)
        warm += (await repeat()).documents;
      const { documents, elapsedMs } = await repeat();
      return (documents / elapsedMs) * 1000;
    };
    return { decode: await perSecond("decode"), encode: await perSecond("encode") };
  });
}

/** What decoding a reply of 20 MB adds to the resident memory at the most, over the size of that reply. In a process of its own. */
export async function measureCodecPeak(entrantName: string): Promise<number> {
  return inProcess(entrantName, async (process) => {
    const { ratio } = await process.ask("decodeBigReply", {}, BIG_REPLY_LIMIT_MS);
    return ratio;
  });
}

export function codecAnswers(entrantName: string): Answers {
  let opened: CodecWork | undefined;
  return {
    openReply: async () => {
      const work = await (await loadPattern(entrantName, "codec")).open(replyOf(1));
      if (!isDeepStrictEqual(plain(await work.roundTrip()), rowsOf()))
        throw new Error("what it read, wrote and read again is not what the reply holds");
      opened = work;
      return {};
    },
    repeatCodec: async ({ work, durationMs }) => {
      if (opened === undefined) throw new Error("no reply is open");
      return opened[work](durationMs);
    },
    decodeBigReply: async () => {
      const blocks = Math.round(BIG_REPLY_BYTES / replyOf(1).length);
      const document = replyOf(blocks);
      const work = await (await loadPattern(entrantName, "codec")).open(document);
      const { rows, beforeBytes, peakBytes } = await work.decodeOnce();
      if (rows !== blocks * ROWS) throw new Error(`${blocks * ROWS} rows became ${rows}`);
      return { ratio: (peakBytes - beforeBytes) / document.length };
    },
  };
}

async function inProcess<T>(entrantName: string, measure: (process: MeasuredProcess) => Promise<T>): Promise<T> {
  const process = new MeasuredProcess("client", entrantName);
  try {
    return await measure(process);
  } finally {
    await process.stop();
  }
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly credit: number;
}

/** As `read` of a database gives them: a few names outside ASCII, a few with a character that XML escapes, no whole number for a double. */
function rowsOf(): readonly Row[] {
  return Array.from({ length: ROWS }, (_, index) => ({
    id: 10_000 + index,
    name: `${index % 7 === 0 ? "Café" : "Azure"} ${index % 10 === 0 ? "& Sons" : "Ltd"} ${index}`,
    credit: index + 0.25,
  }));
}

/** The rows `times` over, with the line breaks of CPython's own server; about 255 KB each time. Put together without a text of that size. */
function replyOf(times: number): Buffer {
  const head = Buffer.from("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n");
  const rows = Buffer.from(rowsOf().map(elementOf).join(""));
  const tail = Buffer.from("</data></array></value>\n</param>\n</params>\n</methodResponse>\n");
  const document = Buffer.alloc(head.length + rows.length * times + tail.length);
  head.copy(document);
  for (let index = 0; index < times; index++) rows.copy(document, head.length + rows.length * index);
  tail.copy(document, head.length + rows.length * times);
  return document;
}

function elementOf({ id, name, credit }: Row): string {
  const members = [
    memberOf("id", "int", String(id)),
    memberOf("name", "string", name.replaceAll("&", "&amp;")),
    memberOf("credit", "double", String(credit)),
  ];
  return `<value><struct>\n${members.join("")}</struct></value>\n`;
}

function memberOf(name: string, type: string, text: string): string {
  return `<member>\n<name>${name}</name>\n<value><${type}>${text}</${type}></value>\n</member>\n`;
}

/** Records of the libraries differ in their prototypes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
