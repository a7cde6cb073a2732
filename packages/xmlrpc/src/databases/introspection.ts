import type { Awaitable, Handler } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { fieldShapeOf } from "../server/field-shape.ts";
import { typeWord } from "../server/signatures.ts";
import type { MethodInfo } from "../server/service.ts";
import { modelNames, modelOf } from "./database-call.ts";
import { isCallable, type ModelCalls, type OpenDatabase } from "./model-calls.ts";

/** Methods of all models and functions of a database that the caller may call, each with a signature for either convention. */
export async function databaseMethods(
  target: OpenDatabase,
  models: ModelCalls,
  mayCall: (method: MethodDescriptor) => Awaitable<boolean>,
): Promise<readonly MethodInfo[]> {
  const infos: MethodInfo[] = [];
  const functions = models.functionsOf(target);
  if (functions !== undefined) await addMethods(infos, functions, "", mayCall);
  for (const name of modelNames(target.database)) {
    const handler = modelOf(target.database, name);
    if (handler !== undefined) await addMethods(infos, handler, `${name}.`, mayCall);
  }
  return infos;
}

async function addMethods(
  infos: MethodInfo[],
  handler: Handler,
  prefix: string,
  mayCall: (method: MethodDescriptor) => Awaitable<boolean>,
): Promise<void> {
  for (const contract of handler.contracts) {
    for (const [short, method] of contract.methods) {
      if (!isCallable(method) || short.startsWith("_") || !(await mayCall(method))) continue;
      infos.push(infoOf(`${prefix}${short}`, method));
    }
  }
}

function infoOf(name: string, method: MethodDescriptor): MethodInfo {
  const output = fieldShapeOf(method.output);
  const result = output === undefined ? "mixed" : typeWord(output);
  const returns = method.kind === "notification" ? "nil" : result;
  const signatures = [
    [returns, "array", "array", "struct"],
    [returns, "struct"],
  ];
  return { name, kind: method.kind, help: method.doc ?? "", signatures, method };
}
