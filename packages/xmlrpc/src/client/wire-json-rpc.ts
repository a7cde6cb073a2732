import { randomUUID } from "node:crypto";
import type { MethodDescriptor } from "@rpc/core/transport";
import { isRecord } from "../errors.ts";
import { type Fault, FaultCode } from "../fault.ts";
import { jsonText } from "../json-text.ts";
import type { Params } from "../server/service.ts";
import { errorOfFault } from "./faults.ts";
import type { HttpReply } from "./http-pool.ts";
import { jsonOrNothing, parsedJson } from "./parsed-json.ts";
import { unreadable } from "./unreadable.ts";
import type { CallOutcome, ClientWire, WrittenCall } from "./wire.ts";

/** JSON-RPC 2.0 at one path; batches are its own. */
export function jsonRpcWire(path: string): ClientWire {
  return new JsonRpcWire(path);
}

class JsonRpcWire implements ClientWire {
  readonly contentType = "application/json";
  readonly accept = "application/json";
  readonly batches = true;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  write(method: string, params: Params, oneWay: boolean): WrittenCall {
    const id = oneWay ? "" : randomUUID();
    const head = `{"jsonrpc":"2.0","method":${jsonText(method)}`;
    const given = Array.isArray(params) && params.length === 0 ? "" : `,"params":${jsonText(params, "params")}`;
    return { path: this.#path, text: `${head}${given}${oneWay ? "" : `,"id":"${id}"`}}`, id };
  }

  join(calls: readonly WrittenCall[]): WrittenCall {
    return { path: this.#path, text: `[${calls.map(({ text }) => text).join(",")}]`, id: "" };
  }

  read(reply: HttpReply, method: MethodDescriptor): unknown {
    // A notification: nothing comes back.
    if (reply.status === 204) return undefined;
    return valueOf(parsedJson(reply), method, reply);
  }

  readError(reply: HttpReply, method: MethodDescriptor): unknown {
    const answer = jsonOrNothing(reply);
    if (!isRecord(answer) || !isRecord(answer["error"])) return undefined;
    return errorOfFault(faultOf(answer["error"]), method, reply);
  }

  readBatch(
    reply: HttpReply,
    calls: readonly { readonly method: MethodDescriptor; readonly written: WrittenCall }[],
  ): readonly CallOutcome[] {
    const answers = reply.status === 204 ? [] : parsedJson(reply);
    if (!Array.isArray(answers)) {
      // One error for the whole batch: it could not be read, or batches are not served.
      return calls.map(({ method }) => outcomeOf(answers, method, reply));
    }
    const byId = new Map<unknown, unknown>();
    for (const answer of answers) if (isRecord(answer)) byId.set(answer["id"], answer);
    return calls.map(({ method, written }): CallOutcome => {
      if (written.id === "") return { value: undefined };
      const answer = byId.get(written.id);
      if (answer === undefined) return { error: unreadable("the answer to a batch lacks this call") };
      return outcomeOf(answer, method, undefined);
    });
  }
}

function outcomeOf(answer: unknown, method: MethodDescriptor, reply: HttpReply | undefined): CallOutcome {
  try {
    return { value: valueOf(answer, method, reply) };
  } catch (error) {
    return { error };
  }
}

function valueOf(answer: unknown, method: MethodDescriptor, reply: HttpReply | undefined): unknown {
  if (!isRecord(answer)) throw unreadable("the answer is no JSON-RPC response");
  const error = answer["error"];
  if (error !== undefined && error !== null) throw errorOfFault(faultOf(error), method, reply);
  if (!Object.hasOwn(answer, "result")) throw unreadable("the answer has neither result nor error");
  return answer["result"];
}

function faultOf(error: unknown): Fault {
  if (!isRecord(error)) throw unreadable("the answer's error is no object");
  const { code, message } = error;
  const text = typeof message === "string" ? message : "";
  if (typeof code === "number" && Number.isInteger(code) && Math.abs(code) < 2 ** 31) return { code, message: text };
  return { code: FaultCode.Application, message: text, legacyCode: String(code) };
}
