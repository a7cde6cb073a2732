import { RpcError } from "@rpc/core";
import { checkedIdentifier } from "../migrations.ts";
import { textFault } from "../store/checked-command.ts";
import { updatedModelTopic } from "../store/store.ts";

export interface ModelTriggerOptions {
  /** A table of your own; any name that PostgreSQL takes. */
  readonly table: string;
  /** The schema of that table. Default: where `search_path` finds it. */
  readonly tableSchema?: string | undefined;
  /** What listeners know it by, 1 to 200 characters. Default: the table's name. */
  readonly model?: string | undefined;
  /** The queue's schema, as in the store's options. Default: `public`. */
  readonly schema?: string | undefined;
}

/** SQL, each of any number of statements. */
export interface ModelTrigger {
  /** Makes the trigger, or replaces it; for whoever owns the table and may make functions in the queue's schema. */
  readonly create: string;
  readonly drop: string;
}

/**
 * A trigger that wakes whoever waits for `updated_model:<model>` when rows of a table are written or deleted: once for each transaction, at its
 * commit, however it was done, and perhaps without a change. For PostgreSQL, unless the store has `notify: "off"`; on SQLite whoever watches
 * hears of each commit in the file without it. Who writes to the table needs no rights of the queue. Throws INVALID_ARGUMENT.
 */
export function modelTrigger(options: ModelTriggerOptions): ModelTrigger {
  const { table, tableSchema, model = table } = options;
  const schema = quoted(checkedIdentifier("schema", options.schema ?? "public"));
  const fault = textFault("table", table) ?? textFault("model", model);
  if (fault !== undefined) throw fault;
  const place = tableSchema === undefined ? quoted(table) : `${quoted(tableSchema)}.${quoted(table)}`;
  return {
    create: `CREATE OR REPLACE FUNCTION ${schema}.rpc_model_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO ${schema}, pg_temp AS $$
BEGIN
  PERFORM rpc_wake(ARRAY[TG_ARGV[0]]);
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER rpc_model_updated AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${place}
  FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.rpc_model_updated(${literal(updatedModelTopic(model))});
`,
    drop: `DROP TRIGGER IF EXISTS rpc_model_updated ON ${place};
`,
  };
}

function quoted(name: string): string {
  if (name !== "" && !name.includes("\0")) return `"${name.replaceAll('"', '""')}"`;
  throw new RpcError("INVALID_ARGUMENT", "tableSchema must be a name", { reason: "INVALID_ARGUMENT" });
}

/** With backslashes as they are, whatever `standard_conforming_strings` says. */
function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
