import { HttpRefusal } from "../server/service.ts";

/** Names of databases as this package takes them; dots alone are no name, whatever a directory on disk would make of them. */
const DATABASE_NAME = /^(?!\.+$)[A-Za-z0-9._-]{1,100}$/;

export function isDatabaseName(name: string): boolean {
  return DATABASE_NAME.test(name);
}

/** What a caller gets who names a database that is not there, or that cannot be one. */
export function databaseNotFound(): HttpRefusal {
  return new HttpRefusal(404, "Database not found");
}

/**
 * The database that a request is for: `/RPC2/<db>`, `/RPC2/<db>/`, `/RPC2?db=<db>`; undefined: the endpoint itself, for functions without a
 * database. Throws HttpRefusal: 404 for another path and for what cannot be a name, 400 where path and query name two databases.
 */
export function databaseOf(path: string, query: URLSearchParams, base: string): string | undefined {
  const inPath = nameInPath(path, base);
  let name = inPath;
  for (const inQuery of query.getAll("db")) {
    if (inQuery === "") continue;
    if (name !== undefined && name !== inQuery)
      throw new HttpRefusal(400, "The request names two databases; name one, in the path or as ?db=");
    name = inQuery;
  }
  if (name !== undefined && !isDatabaseName(name)) throw databaseNotFound();
  return name;
}

function nameInPath(path: string, base: string): string | undefined {
  if (!path.startsWith(base)) throw notFound();
  const rest = path.slice(base.length);
  if (rest === "" || rest === "/") return undefined;
  if (!rest.startsWith("/")) throw notFound();
  const segment = rest.endsWith("/") ? rest.slice(1, -1) : rest.slice(1);
  if (segment.includes("/")) throw notFound();
  try {
    return decodeURIComponent(segment);
  } catch {
    throw databaseNotFound();
  }
}

function notFound(): HttpRefusal {
  return new HttpRefusal(404, "Not found");
}

/** `account.account.read` is the method `read` of the model `account.account`; undefined: a name without a dot. */
export function splitMethod(name: string): { readonly model: string; readonly method: string } | undefined {
  const dot = name.lastIndexOf(".");
  return dot === -1 ? undefined : { model: name.slice(0, dot), method: name.slice(dot + 1) };
}
