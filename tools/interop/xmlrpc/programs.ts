import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const HERE = import.meta.dirname;
const JAR = "/usr/share/java/axmlrpc.jar";
const GOCODE = "/usr/share/gocode";
/** Stands for the file that a compiler writes. */
const OUTPUT = "<output>";

/** A foreign program: what runs it, and what it needs. */
export interface Program {
  readonly id: string;
  /** For the table, with the version of Debian 12. */
  readonly name: string;
  /** What is not installed; undefined: everything is there. */
  readonly missing: string | undefined;
  /** The command, made ready in a folder that is the caller's to remove. */
  readonly command: (folder: string) => readonly [program: string, ...args: string[]];
}

interface Recipe extends Omit<Program, "missing"> {
  /** Debian's packages. */
  readonly packages: string;
  readonly isThere: () => boolean;
}

const runs = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { timeout: 20_000 }).status === 0;
const client = (name: string): string => join(HERE, "clients", name);
const server = (name: string): string => join(HERE, "servers", name);

/** Compiles into the folder; `args` are all but where to. */
function compiled(
  folder: string,
  [compiler, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
): string {
  const file = join(folder, "program");
  const given = args.map((argument) => (argument === OUTPUT ? file : argument));
  execFileSync(compiler, given, { cwd: folder, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  return file;
}

const python = {
  packages: "python3",
  isThere: (): boolean => runs("python3", "-c", "import xmlrpc.client, xmlrpc.server"),
};
const ruby = {
  packages: "ruby ruby-xmlrpc ruby-webrick",
  isThere: (): boolean => runs("ruby", "-e", 'require "xmlrpc/client"; require "xmlrpc/server"; require "webrick"'),
};
const perl = {
  packages: "librpc-xml-perl",
  isThere: (): boolean => runs("perl", "-MRPC::XML::Client", "-MRPC::XML::Server", "-MHTTP::Daemon", "-e1"),
};
const c = {
  packages: "libxmlrpc-core-c3-dev gcc libc6-dev",
  isThere: (): boolean => existsSync("/usr/include/xmlrpc-c/client.h") && runs("gcc", "--version"),
};

const CLIENTS: readonly Recipe[] = [
  { id: "python", name: "CPython 3.11", ...python, command: () => ["python3", client("python.py")] },
  { id: "ruby", name: "Ruby xmlrpc 0.3.2", ...ruby, command: () => ["ruby", client("ruby.rb")] },
  { id: "perl", name: "Perl RPC::XML 0.82", ...perl, command: () => ["perl", client("perl.pl")] },
  {
    id: "php",
    name: "PHP 8.2 epi",
    packages: "php-cli php-xmlrpc",
    isThere: () => runs("php", "-r", "exit(function_exists('xmlrpc_encode_request') ? 0 : 1);"),
    command: () => ["php", client("php.php")],
  },
  {
    id: "go",
    name: "Go kolo 2020",
    packages: "golang-go golang-github-kolo-xmlrpc-dev",
    isThere: () => existsSync(join(GOCODE, "src/github.com/kolo/xmlrpc")) && runs("go", "version"),
    command: (folder) => {
      const env = { GO111MODULE: "off", GOPATH: GOCODE, GOCACHE: join(folder, "cache"), GOFLAGS: "" };
      return [compiled(folder, ["go", "build", "-o", OUTPUT, client("client.go")], env)];
    },
  },
  {
    id: "c",
    name: "xmlrpc-c 1.33",
    ...c,
    command: (folder) => [
      compiled(folder, ["gcc", "-o", OUTPUT, client("client.c"), "-lxmlrpc_client", "-lxmlrpc", "-lxmlrpc_util"]),
    ],
  },
  {
    id: "java",
    name: "Java aXMLRPC 1.13",
    packages: "openjdk-17-jdk-headless libaxmlrpc-java",
    isThere: () => existsSync(JAR) && runs("java", "-version"),
    command: () => ["java", "-cp", JAR, client("Client.java")],
  },
  {
    id: "curl",
    name: "curl 7.88",
    packages: "curl",
    isThere: () => runs("curl", "--version") && runs("bash", "--version"),
    command: () => ["bash", client("curl.sh")],
  },
];

const ABYSS = ["-lxmlrpc_server_abyss", "-lxmlrpc_server", "-lxmlrpc_abyss", "-lxmlrpc", "-lxmlrpc_util", "-lpthread"];

const SERVERS: readonly Recipe[] = [
  { id: "python", name: "CPython 3.11", ...python, command: () => ["python3", server("python.py")] },
  { id: "ruby", name: "Ruby WEBrick, xmlrpc 0.3.2", ...ruby, command: () => ["ruby", server("ruby.rb")] },
  { id: "perl", name: "Perl RPC::XML 0.82", ...perl, command: () => ["perl", server("perl.pl")] },
  {
    id: "c",
    name: "xmlrpc-c 1.33 Abyss",
    ...c,
    command: (folder) => [compiled(folder, ["gcc", "-o", OUTPUT, server("server.c"), ...ABYSS])],
  },
  { id: "apache", name: "Apache's extensions", ...python, command: () => ["python3", server("python.py"), "--apache"] },
];

function checked({ packages, isThere, ...program }: Recipe): Program {
  return { ...program, missing: isThere() ? undefined : `missing (Debian: apt-get install ${packages})` };
}

/** Clients of our server. Looks for each when it is called. */
export function clientPrograms(): Program[] {
  return CLIENTS.map(checked);
}

/** Servers for our client. */
export function serverPrograms(): Program[] {
  return SERVERS.map(checked);
}

/** Names alone, for the table, which is the same wherever it is made. */
export const clientNames: readonly Pick<Program, "id" | "name">[] = CLIENTS;
export const serverNames: readonly Pick<Program, "id" | "name">[] = SERVERS;

/** Runs a client through all its cases: what it says of each. */
export async function runClient(
  command: readonly [string, ...string[]],
  args: readonly string[],
): Promise<Map<string, string>> {
  const [program, ...first] = command;
  const child = spawn(program, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const outcomes = new Map<string, string>();
  let lastWords = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told = JSON.parse(line) as { readonly case: string; readonly outcome: string };
    outcomes.set(told.case, told.outcome);
  });
  child.stderr.on("data", (chunk: Buffer) => (lastWords = `${lastWords}${chunk.toString()}`.slice(-2_000)));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code} after ${outcomes.size} cases: ${lastWords}`);
  return outcomes;
}

/** A server that runs until it is disposed of. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
}

export async function startServer(command: readonly [string, ...string[]]): Promise<RunningServer> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, "line"), ended]);
  const url = String(first[0]);
  if (!url.startsWith("http://")) throw new Error(`${program} ended with ${url} before it served`);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      // Each of them ends when nobody is there any more who could tell it something.
      child.stdin.end();
      await ended;
    },
  };
}
