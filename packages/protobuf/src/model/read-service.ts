import type { Place, RpcDefinition, RpcKind, ServiceDefinition } from "./definitions.ts";
import { type MethodOptions, readMethodOptions } from "./method-options.ts";
import { isIdentifier, isReservedMethodName, methodName } from "./names.ts";
import { protoError } from "./proto-error.ts";
import type { ReflectedMethod, ReflectedObject, ReflectedService } from "./reflection.ts";
import type { ResolveType } from "./resolve-type.ts";

type PlaceOf = (object: ReflectedObject) => Place | undefined;
const EMPTY = "google.protobuf.Empty";

/** One service, checked: names and messages of its methods, and what their options say. */
export function readService(
  service: ReflectedService,
  typeName: string,
  resolve: ResolveType,
  placeOf: PlaceOf,
): ServiceDefinition {
  const methods: RpcDefinition[] = [];
  const names = new Map<string, string>();
  const ids = new Map<number, string>();
  for (const rpc of service.methodsArray) {
    const place = placeOf(rpc);
    const method = readMethod(rpc, typeName, resolve, place);
    const twin = names.get(method.name);
    if (twin !== undefined)
      throw protoError(place, `${typeName}: ${twin} and ${rpc.name} are both ${method.name} in a contract`);
    names.set(method.name, rpc.name);
    if (method.methodId !== undefined) {
      const other = ids.get(method.methodId);
      if (other !== undefined)
        throw protoError(place, `${typeName}: ${other} and ${rpc.name} have the same method_id ${method.methodId}`);
      ids.set(method.methodId, rpc.name);
    }
    methods.push(method);
  }
  const serviceId = service.options?.["(rpc.v1.service_id)"] ?? service.options?.["(.rpc.v1.service_id)"];
  return {
    typeName,
    methods,
    serviceId: typeof serviceId === "number" ? serviceId : undefined,
    doc: service.comment ?? undefined,
    place: placeOf(service),
  };
}

function readMethod(
  rpc: ReflectedMethod,
  service: string,
  resolve: ResolveType,
  place: Place | undefined,
): RpcDefinition {
  if (!isIdentifier(rpc.name))
    throw protoError(place, `${service}: ${JSON.stringify(rpc.name)} cannot be the name of a method`);
  const name = methodName(rpc.name);
  if (isReservedMethodName(name))
    throw protoError(place, `${service}.${rpc.name}: a contract cannot have a method called ${name}; rename the rpc`);
  const message = (written: string, role: string): string => {
    const found = resolve(written, service);
    if (found?.kind !== "message")
      throw protoError(place, `${service}.${rpc.name}: its ${role} ${JSON.stringify(written)} is no known message`);
    return found.typeName;
  };
  const options = readMethodOptions(rpc, place);
  const kind = kindOf(rpc, options.kind, service, place);
  const output = message(rpc.responseType, "output");
  if ((kind === "notification" || kind === "event") && output !== EMPTY) {
    throw protoError(
      place,
      `${service}.${rpc.name}: nothing comes back from ${kind === "event" ? "an event" : "a notification"}, so it must return ${EMPTY}`,
    );
  }
  refuseIdleOptions(options, kind, `${service}.${rpc.name}`, place);
  if (options.maxAttempts !== undefined && kind !== "job")
    throw protoError(place, `${service}.${rpc.name}: max_attempts is for jobs only`);
  return {
    name,
    kind,
    input: message(rpc.requestType, "input"),
    output,
    progress: options.progress === undefined ? undefined : message(options.progress, "progress"),
    errors: new Map(
      [...options.errors].map(([reason, type]) => [
        reason,
        type === undefined ? undefined : message(type, `error ${reason}`),
      ]),
    ),
    idempotent: options.idempotent,
    timeoutMs: options.timeoutMs,
    maxAttempts: options.maxAttempts,
    methodId: options.methodId,
    doc: rpc.comment ?? undefined,
  };
}

/** An option that a kind cannot keep is a mistake to tell, not to pass over. */
function refuseIdleOptions(options: MethodOptions, kind: RpcKind, where: string, place: Place | undefined): void {
  if (options.progress !== undefined && kind !== "unary")
    throw protoError(place, `${where}: progress is for unary calls only`);
  if (kind !== "notification" && kind !== "event") return;
  const idle =
    options.errors.size > 0
      ? "errors"
      : options.timeoutMs !== undefined
        ? "timeout_ms"
        : options.idempotent
          ? "idempotent"
          : undefined;
  if (idle !== undefined)
    throw protoError(place, `${where}: ${idle} has no meaning here, because nobody waits for an answer`);
}

function kindOf(rpc: ReflectedMethod, said: RpcKind | undefined, service: string, place: Place | undefined): RpcKind {
  const streams: RpcKind = rpc.requestStream
    ? rpc.responseStream
      ? "bidiStream"
      : "clientStream"
    : rpc.responseStream
      ? "serverStream"
      : "unary";
  if (said !== undefined && streams !== "unary")
    throw protoError(place, `${service}.${rpc.name}: ${said === "event" ? "an" : "a"} ${said} has no stream`);
  return said ?? streams;
}
