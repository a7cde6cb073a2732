// What migrations have made, from the catalog: for review, and to notice what a change of PostgreSQL or of a file does to it.
import { query } from "./postgres-database.ts";

interface Line {
  readonly line: string;
}

const COLUMNS = `SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
    || CASE a.attidentity WHEN 'd' THEN ' IDENTITY' WHEN 'a' THEN ' IDENTITY ALWAYS' ELSE '' END
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS line
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' ORDER BY c.relname COLLATE "C", a.attnum`;
const OPTIONS = `SELECT relname || ' WITH (' || array_to_string(reloptions, ', ') || ')' AS line FROM pg_class
 WHERE relnamespace = $1::regnamespace AND reloptions IS NOT NULL ORDER BY 1`;
// NOT NULL is told with its column; since PostgreSQL 18 it is a constraint as well.
const CONSTRAINTS = `SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS line FROM pg_constraint
 WHERE connamespace = $1::regnamespace AND contype <> 'n' ORDER BY 1`;
const INDEXES = `SELECT indexdef AS line FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname COLLATE "C"`;
const FUNCTIONS = `SELECT pg_get_functiondef(oid) AS line FROM pg_proc WHERE pronamespace = $1::regnamespace ORDER BY proname COLLATE "C"`;
const TRIGGERS = `SELECT pg_get_triggerdef(t.oid) AS line FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = $1::regnamespace AND NOT t.tgisinternal ORDER BY 1`;

export async function dumpSchema(url: string, schema = "public"): Promise<string> {
  const parts: string[] = [];
  for (const [title, text] of [
    ["Columns", COLUMNS],
    ["Options", OPTIONS],
    ["Constraints", CONSTRAINTS],
    ["Indexes", INDEXES],
    ["Functions", FUNCTIONS],
    ["Triggers, with notify: trigger alone", TRIGGERS],
  ] as const) {
    const rows = await query<Line>(url, text, [schema]);
    parts.push([`-- ${title}`, ...rows.map(({ line }) => line.trimEnd())].join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}
