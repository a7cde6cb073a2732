/** Two processes that call each other over connections which come to harm; the exit code says whether every promise held. */
import { type ChaosProxy, createChaosProxy } from "@rpc/testkit/node";
import { optionsFrom, type SoakOptions, USAGE, UsageError } from "./options.ts";
import type { Message } from "./child.ts";
import { PATIENCE_MS, StartedProcess } from "./started-process.ts";

try {
  process.exitCode = await soak(optionsFrom(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}

async function soak(options: SoakOptions): Promise<number> {
  const { seed, seconds, calls, streams, promise } = options;
  console.log(`soak: seed ${seed}, ${seconds} s, ${calls} calls, ${streams} streams, ${promise}`);
  const server = new StartedProcess("server", options);
  const { endpoint } = await server.hear("listening");
  const proxy = await createChaosProxy({ target: { port: Number(new URL(endpoint).port) } });
  const client = new StartedProcess("client", options);
  let report: Extract<Message, { kind: "report" }>;
  const violations: string[] = [];
  try {
    client.order({ kind: "connect", proxied: proxy.endpoint, direct: endpoint });
    await client.hear("begun");
    const harm = options.calm ? undefined : harmConnections(proxy, seed);
    const calm = setTimeout(() => harm?.stop(), seconds * 1000);
    report = await client.hear("report", seconds * 1000 + PATIENCE_MS);
    clearTimeout(calm);
    harm?.stop();
    violations.push(...report.violations, ...(await client.end()), ...(await server.end()));
  } finally {
    client.kill();
    server.kill();
    await proxy.close();
  }
  console.log(describeFaults(proxy));
  for (const line of report.lines) console.log(line);
  console.log(violations.length === 0 ? "every promise held" : `${violations.length} violations:`);
  for (const violation of violations) console.log(`  ${violation}`);
  if (violations.length > 0) console.log(`again: npm run soak -- --seed ${seed} --seconds ${seconds} --calls ${calls}`);
  return violations.length === 0 ? 0 : 1;
}

/** Harsh enough for dozens of cuts in half a minute; every outage is over well within the window of a session. */
function harmConnections(proxy: ChaosProxy, seed: number) {
  return proxy.chaos({
    seed,
    everyMs: [50, 600],
    stallMs: [20, 500],
    blackHoleMs: [200, 4_000],
    refuseMs: [50, 600],
  });
}

function describeFaults({ counts }: ChaosProxy): string {
  const { cut, halfClose, blackHole, stall, refused, accepted, swallowedBytes } = counts;
  return (
    `faults: ${cut} cut, ${halfClose} half closed, ${blackHole} in a black hole, ${stall} stalled, ${refused} refused; ` +
    `${accepted} connections, ${swallowedBytes} bytes swallowed`
  );
}
