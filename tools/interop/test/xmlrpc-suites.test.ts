import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientPrograms, runClient } from "../xmlrpc/programs.ts";
import { serveSuites, type Suites } from "../xmlrpc/suites-server.ts";

const SCRIPT = join(import.meta.dirname, "..", "xmlrpc", "clients", "suites.py");
const missing = clientPrograms().find(({ id }) => id === "python")?.missing;

const SUITES = {
  "validator1 of 1998": `arrayOfStructsTest countTheEntities easyStructTest echoStructTest manyTypesTest moderateSizeArrayCheck
    nestedStructTest simpleStructReturnTest`,
  "the echo tests of 2001": `echoString echoStringArray echoInteger echoIntegerArray echoFloat echoFloatArray echoStruct
    echoStructArray echoValue echoBase64 echoDate whichToolkit`,
  "CPython's own tests of its server, in the profile python": `test_simple1 test_404 test_introspection1 test_introspection2
    test_introspection3 test_introspection4 test_multicall test_non_existing_multicall test_dotted_attribute test_unicode_host
    test_fail_no_info test_partial_post test_two`,
  "X36 a script that logs in at the old endpoints": `legacy-version legacy-login legacy-refused legacy-search legacy-read
    legacy-json`,
};
const casesOf = (names: string): string[] => names.split(/\s+/);
/** Names of a contract's methods are ASCII. */
const DIFFERENT: ReadonlyMap<string, string> = new Map([["test_nonascii", "is not supported"]]);

describe.skipIf(missing !== undefined)("suites of others, run by CPython's xmlrpc.client", () => {
  let served: Suites | undefined;
  let outcomes: ReadonlyMap<string, string> = new Map();

  beforeAll(async () => {
    served = await serveSuites();
    outcomes = await runClient(["python3", SCRIPT], [served.suites, served.fixture, served.legacy]);
  }, 60_000);
  afterAll(() => served?.[Symbol.asyncDispose]());

  for (const [suite, cases] of Object.entries(SUITES)) {
    it.each(casesOf(cases))(`${suite}: %s`, (name) => {
      expect(outcomes.get(name)).toBe("ok");
    });
  }

  it.each([...DIFFERENT])("%s differs: %s", (name, said) => {
    expect(outcomes.get(name)).toContain(said);
  });

  it("every case of the script is asked for here", () => {
    const known = [...Object.values(SUITES).flatMap(casesOf), ...DIFFERENT.keys()];
    expect([...outcomes.keys()].toSorted()).toEqual(known.toSorted());
  });
});
