import { RpcError } from "@rpc/core";
import { parseDomogikJson, writeDomogikJson } from "../frames/domogik-json.ts";
import type { Frames } from "../frames/words.ts";

/** The data of a message: one JSON object. */
export type MqData = Readonly<Record<string, unknown>>;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** A message of Domogik: an action, and one JSON object as data. */
export class MqMessage {
  #action: string;
  #data: Record<string, unknown>;

  constructor(action = "", data: MqData = {}) {
    this.#action = action;
    this.#data = { ...data };
  }

  /** Reads a body; frames beyond the second are ignored. Throws INVALID_ARGUMENT for one that is none. */
  static from(frames: Frames): MqMessage {
    const message = new MqMessage();
    message.set(frames);
    return message;
  }

  get action(): string {
    return this.#action;
  }

  get data(): MqData {
    return this.#data;
  }

  setAction(action: string): this {
    this.#action = action;
    return this;
  }

  /** Replaces all of the data. */
  setData(data: MqData): this {
    this.#data = { ...data };
    return this;
  }

  /** Sets one member of the data. */
  addData(key: string, value: unknown): this {
    Object.defineProperty(this.#data, key, { value, enumerable: true, configurable: true, writable: true });
    return this;
  }

  /** The two frames that it travels as. Numbers that JSON does not have become null. */
  get(): Uint8Array[] {
    return [Buffer.from(this.#action), Buffer.from(writeDomogikJson(this.#data))];
  }

  /** The reverse of `get`. Throws INVALID_ARGUMENT, and leaves the message as it was. */
  set([action, data]: Frames): this {
    if (action === undefined || data === undefined) throw unreadable("it has no action and data");
    let text: string;
    let value: unknown;
    try {
      text = strictUtf8.decode(action);
      value = parseDomogikJson(strictUtf8.decode(data));
    } catch (thrown) {
      throw unreadable("it is not UTF-8, or its data is not JSON", thrown);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw unreadable("its data is no JSON object");
    this.#action = text;
    this.#data = { ...value };
    return this;
  }

  /** For logs. */
  toString(): string {
    return `${this.#action} ${writeDomogikJson(this.#data)}`;
  }
}

function unreadable(what: string, cause?: unknown): RpcError {
  return new RpcError("INVALID_ARGUMENT", `the message cannot be read: ${what}`, { reason: "PARSE", cause });
}
