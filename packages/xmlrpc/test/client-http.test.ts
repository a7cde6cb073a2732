import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { createClient, defineContract, notification, RpcError, type StatusCode, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HttpReader } from "../src/client/http-reader.ts";
import { createXmlRpcTransport, xmlRpcProxy, type XmlRpcTransport, type XmlRpcTransportOptions } from "../src/index.ts";
import { answerFault, answerValue, type Names, type Stub, stub } from "./stub-server.ts";

const One = defineContract("one", { run: unary(), look: unary({ idempotent: true }) });

function transportTo(url: string, options?: XmlRpcTransportOptions): XmlRpcTransport {
  const transport = createXmlRpcTransport(url, options);
  onTestFinished(() => transport.close());
  return transport;
}

async function failureOf(promise: Promise<unknown>): Promise<RpcError> {
  const caught: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (caught instanceof RpcError) return caught;
  throw new Error(`no RpcError: ${String(caught)}`);
}

const GOOD = "<methodResponse><params><param><value>ok</value></param></params></methodResponse>";

describe("answers that are none", () => {
  const rows: readonly (readonly [string, number, Record<string, string>, string, StatusCode])[] = [
    ["a page of HTML", 200, { "content-type": "text/html" }, "<html><body>Welcome</body></html>", "INTERNAL"],
    ["an empty body", 200, { "content-type": "text/xml" }, "", "INTERNAL"],
    ["text that is no XML", 200, { "content-type": "text/xml" }, "hello", "INTERNAL"],
    ["half a document", 200, { "content-type": "text/xml" }, GOOD.slice(0, 40), "INTERNAL"],
    ["an unknown encoding", 200, { "content-type": "text/xml", "content-encoding": "br" }, GOOD, "INTERNAL"],
    ["gzip that is none", 200, { "content-type": "text/xml", "content-encoding": "gzip" }, GOOD, "INTERNAL"],
    ["400", 400, { "content-type": "text/html" }, "<html></html>", "INTERNAL"],
    ["401", 401, { "www-authenticate": "Basic" }, "", "UNAUTHENTICATED"],
    ["403", 403, {}, "", "PERMISSION_DENIED"],
    ["404", 404, { "content-type": "text/plain" }, "Database not found", "UNIMPLEMENTED"],
    ["413", 413, {}, "", "RESOURCE_EXHAUSTED"],
    ["429", 429, {}, "", "UNAVAILABLE"],
    ["500 with a page", 500, { "content-type": "text/html" }, "<html>oops</html>", "INTERNAL"],
    ["502 of a proxy", 502, { "content-type": "text/html" }, "<html>Bad Gateway</html>", "UNAVAILABLE"],
    ["503", 503, {}, "", "UNAVAILABLE"],
    ["504", 504, {}, "", "UNAVAILABLE"],
    ["a status that nobody knows", 299, { "content-type": "text/xml" }, "", "INTERNAL"],
  ];
  for (const [name, status, headers, body, code] of rows) {
    it(`H140 gives ${code} for ${name}, and the next call works`, async () => {
      let calls = 0;
      const server = await stub((_, response) => {
        calls += 1;
        if (calls === 1) response.writeHead(status, headers).end(body);
        else answerValue(response, "fine");
      });
      const db = xmlRpcProxy<Names>(server.url);
      onTestFinished(() => db.$close());
      const error = await failureOf(db.$call("one.run"));
      expect(error.code).toBe(code);
      expect(error.message).toContain("one.run");
      expect(error.message).not.toContain("<html");
      expect(await db.$call("one.run")).toBe("fine");
    });
  }

  it("H140 says what a plain answer says", async () => {
    const server = await stub((_, response) =>
      response.writeHead(404, { "content-type": "text/plain" }).end("Database not found\r\n\u0007"),
    );
    const error = await failureOf(createClient(One, transportTo(server.url)).run());
    expect(error.message).toBe(
      `one.run: http://127.0.0.1:${server.port}/RPC2 answered with HTTP 404: Database not found`,
    );
    expect(error.details).toEqual({ status: 404 });
  });

  it("H140 gives up a body at the limit, announced or not, without reading it to the end", async () => {
    for (const announced of [true, false]) {
      const server = await stub((_, response) => {
        response.writeHead(200, { "content-type": "text/xml", ...(announced ? { "content-length": 1e9 } : {}) });
        const chunk = Buffer.alloc(64 * 1024, 32);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on("drain", more);
        more();
      });
      const client = createClient(One, transportTo(server.url, { maxReplyBytes: 100_000 }));
      const error = await failureOf(client.run());
      expect([error.code, error.reason]).toEqual(["RESOURCE_EXHAUSTED", "maxReplyBytes"]);
    }
  });

  it("H140 gives up a compressed answer that grows beyond the limit", async () => {
    const server = await stub((_, response) =>
      response
        .writeHead(200, { "content-type": "text/xml", "content-encoding": "gzip" })
        .end(gzipSync(Buffer.alloc(50_000_000, 32))),
    );
    const error = await failureOf(createClient(One, transportTo(server.url, { gzip: true })).run());
    expect([error.code, error.reason]).toEqual(["RESOURCE_EXHAUSTED", "maxReplyBytes"]);
  });

  it("H140 names the option of the limit that an answer is beyond", async () => {
    const server = await stub((_, response) => answerValue(response, [[["deep"]], { a: 1, b: 2, ccc: "text" }]));
    for (const [limit, most, what] of [
      ["maxDepth", 1, "arrays and structs are nested deeper than 1"],
      ["maxElements", 5, "more than 5 elements"],
      ["maxMembers", 2, "a struct has more than 2 members"],
      ["maxTextLength", 3, "a text is longer than 3 characters"],
      ["maxNameLength", 2, "a text is longer than 2 characters"],
    ] as const) {
      const options = { document: { limits: { [limit]: most } } };
      const error = await failureOf(createClient(One, transportTo(server.url, options)).run());
      expect([error.code, error.reason]).toEqual(["RESOURCE_EXHAUSTED", "document"]);
      const cure = `raise the option document.limits.${limit}, or ask for less`;
      expect(error.message).toBe(`one.run: the answer is beyond a limit: LimitError: ${what}; ${cure}`);
    }
  });

  it("H140 follows no redirect and shows its credentials to nobody else", async () => {
    const elsewhere = await stub((_, response) => answerValue(response, "stolen"));
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await stub((_, response) =>
        response.writeHead(status, { location: `http://eve:secret@127.0.0.1:${elsewhere.port}/RPC2?token=x` }).end(),
      );
      const error = await failureOf(createClient(One, transportTo(server.url.replace("//", "//u:pw@"))).run());
      expect([error.code, error.reason, error.delivered]).toEqual(["INTERNAL", "REDIRECT", "no"]);
      expect(error.message).not.toMatch(/secret|token|pw/);
    }
    expect(elsewhere.seen).toEqual([]);
  });

  it("H128 gives INTERNAL for a request in place of a response, two params, and none at all", async () => {
    const documents = [
      "<methodCall><methodName>x</methodName></methodCall>",
      "<methodResponse><params><param><value>1</value></param><param><value>2</value></param></params></methodResponse>",
      "<methodResponse></methodResponse><methodResponse></methodResponse>",
    ];
    const server = await stub((_, response) =>
      response.writeHead(200, { "content-type": "text/xml" }).end(documents.shift()),
    );
    const client = createClient(One, transportTo(server.url));
    for (let i = documents.length; i > 0; i--) {
      const error = await failureOf(client.run());
      expect([error.code, error.reason, error.delivered]).toEqual(["INTERNAL", "PROTOCOL", "unknown"]);
    }
  });

  it("H129 keeps the original of a fault whose code is text, a float, missing or out of range", async () => {
    const codes = ["<string>AccessDenied</string>", "<double>1.5</double>", "<i8>99999999999</i8>", "<nil/>"];
    const server = await stub((_, response) => {
      const code = `<member><name>faultCode</name><value>${codes.shift()}</value></member>`;
      const more = `<member><name>extra</name><value>x</value></member>`;
      const text = "<member><name>faultString</name><value>&lt;b&gt;no&lt;/b&gt;</value></member>";
      response
        .writeHead(200, { "content-type": "text/xml" })
        .end(`<methodResponse><fault><value><struct>${code}${text}${more}</struct></value></fault></methodResponse>`);
    });
    const client = createClient(One, transportTo(server.url));
    const kept: unknown[] = [];
    for (let i = codes.length; i > 0; i--) {
      const error = await failureOf(client.run());
      expect(error.message).toBe("<b>no</b>");
      kept.push([error.code, (error.details as { legacyCode?: string }).legacyCode]);
    }
    expect(kept).toEqual([
      ["PERMISSION_DENIED", "AccessDenied"],
      ["UNKNOWN", "1.5"],
      ["UNKNOWN", "99999999999"],
      ["UNKNOWN", "nil"],
    ]);
  });

  it("H129 takes foreign fault codes as opaque", async () => {
    const server = await stub((_, response) =>
      answerFault(response, 1, "<class 'ZeroDivisionError'>:division by zero"),
    );
    const error = await failureOf(createClient(One, transportTo(server.url)).run());
    expect(error.code).toBe("UNKNOWN");
    expect(error.details).toMatchObject({ faultCode: 1 });
  });
});

describe("connections", () => {
  it("keeps connections alive and uses them again", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    const client = createClient(One, transportTo(server.url));
    for (let i = 0; i < 10; i++) await client.run();
    expect(server.connections).toBe(1);
    await Promise.all(Array.from({ length: 10 }, () => client.run()));
    expect(server.connections).toBe(10);
  });

  it("lets calls beyond maxConnections wait for a free one", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    const client = createClient(One, transportTo(server.url, { maxConnections: 3 }));
    await Promise.all(Array.from({ length: 50 }, () => client.run()));
    expect(server.connections).toBe(3);
  });

  it("follows a server that closes after every answer, and one that speaks HTTP/1.0", async () => {
    const server = await stub((_, response) => answerValue(response, "bye", { connection: "close" }));
    const client = createClient(One, transportTo(server.url));
    for (let i = 0; i < 3; i++) expect(await client.run()).toBe("bye");
    expect(server.connections).toBe(3);
    const old = await raw((socket) => {
      socket.once("data", () => socket.end(`HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n${GOOD}`));
    });
    const proxy = xmlRpcProxy<Names>(old);
    onTestFinished(() => proxy.$close());
    for (let i = 0; i < 3; i++) expect(await proxy.$call("x")).toBe("ok");
  });

  /** A server on whose first connection the second request falls into its end. */
  const dying = async (): Promise<Stub & { requests(): number }> => {
    let requests = 0;
    const server = await stub(({ connection, socket }, response) => {
      requests += 1;
      if (connection === 1 && requests === 2) socket.destroy();
      else answerValue(response, requests);
    });
    return Object.assign(server, { requests: () => requests });
  };

  it("H141 sends an idempotent call once more when an idle connection turns out to be dead", async () => {
    const client = createClient(One, transportTo((await dying()).url));
    expect([await client.look(), await client.look()]).toEqual([1, 3]);
  });

  it("H141 does not send any other call again that may have arrived", async () => {
    const server = await dying();
    const client = createClient(One, transportTo(server.url));
    expect(await client.run()).toBe(1);
    const error = await failureOf(client.run());
    expect([error.code, error.delivered, server.requests()]).toEqual(["UNAVAILABLE", "unknown", 2]);
    expect(await client.run()).toBe(3);
  });

  it("H141 does not send again what dies on a new connection, nor a second time", async () => {
    let requests = 0;
    const server = await stub(({ socket }, response) => {
      requests += 1;
      if (requests === 1) answerValue(response, "first");
      else socket.destroy();
    });
    const client = createClient(One, transportTo(server.url));
    await client.look();
    const error = await failureOf(client.look());
    expect([error.code, error.delivered, error.retryable, requests]).toEqual(["UNAVAILABLE", "unknown", true, 3]);
    await failureOf(client.look());
    expect(requests).toBe(4);
  });

  it("H141 uses a connection no more that the server has closed while it lay idle", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    const client = createClient(One, transportTo(server.url));
    await client.run();
    const closed = once(server.seen[0]?.socket ?? neverSocket(), "close");
    server.seen[0]?.socket.destroy();
    await closed;
    await turns(20);
    expect(await client.run()).toBe(1);
    expect(server.connections).toBe(2);
  });

  it("says UNAVAILABLE and not delivered when nobody listens", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const transport = transportTo(`http://user:geheim@127.0.0.1:${port}/RPC2?db=x`);
    const error = await failureOf(createClient(One, transport).run());
    expect([error.code, error.delivered, error.retryable]).toEqual(["UNAVAILABLE", "no", true]);
    expect(error.message).toBe(`one.run: http://127.0.0.1:${port}/RPC2 cannot be reached (ECONNREFUSED)`);
    await expect(transport.ready()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("fails a call whose answer breaks off in the middle, with its fate unknown", async () => {
    for (const answer of [
      `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n${GOOD}`,
      `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<meth\r\n`,
      "HTTP/1.1 200 OK\r\nContent-Ty",
    ]) {
      const url = await raw((socket) => socket.once("data", () => socket.end(answer)));
      const error = await failureOf(createClient(One, transportTo(url)).run());
      expect([error.code, error.delivered]).toEqual(["UNAVAILABLE", "unknown"]);
    }
  });

  it("H140 gives INTERNAL for an answer that is no HTTP, or whose end is not clear", async () => {
    for (const answer of [
      "220 smtp.example.org ESMTP\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 102 Processing\r\n\r\n".repeat(1_100),
      `HTTP/1.1 200 OK\r\nX: ${"a".repeat(20_000)}\r\n\r\n`,
      "HTTP/2 200\r\n\r\n",
    ]) {
      const url = await raw((socket) => socket.once("data", () => socket.end(answer)));
      const error = await failureOf(createClient(One, transportTo(url)).run());
      expect([answer.slice(0, 100), error.code, error.delivered]).toEqual([
        answer.slice(0, 100),
        "INTERNAL",
        "unknown",
      ]);
    }
  });

  it("H140 does not wait for the end of a head whose lines have no CR", async () => {
    const url = await raw((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\nContent-Length: 0\n\n")),
    );
    const error = await failureOf(createClient(One, transportTo(url)).run());
    expect([error.code, error.reason, error.delivered]).toEqual(["INTERNAL", "PROTOCOL", "unknown"]);
  });

  it("H140 keeps a body of tiny chunks together: each of them alone would cost a hundred times its size", () => {
    const reader = new HttpReader(1_000_000);
    const concat = vi.spyOn(Buffer, "concat");
    onTestFinished(() => concat.mockRestore());
    reader.read(Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    const parts = Array.from({ length: 3_000 }, (_, i) =>
      String.fromCharCode(97 + (i % 26)).repeat(i % 100 === 0 ? 3_000 : 1 + (i % 7)),
    );
    for (const part of parts) reader.read(Buffer.from(`${part.length.toString(16)}\r\n${part}\r\n`));
    const reply = reader.read(Buffer.from("0\r\n\r\n"));
    expect(Buffer.from(reply?.body ?? []).toString() === parts.join("")).toBe(true);
    expect(concat.mock.calls.at(-1)?.[0].length).toBeLessThan(100);
  });

  it("reads an answer that comes byte by byte, after 100 and 103, in chunks with trailers", async () => {
    const early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";
    const head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n";
    const chunked = [GOOD.slice(0, 10), GOOD.slice(10)].map((part) => `${part.length.toString(16)};x=y\r\n${part}\r\n`);
    const answers = [
      `${early}${head}Content-Length: ${GOOD.length}\r\n\r\n${GOOD}`,
      `${early}${head}Transfer-Encoding: chunked\r\n\r\n${chunked.join("")}0\r\nX-Trailer: 1\r\n\r\n`,
    ];
    let connections = 0;
    const url = await raw((socket) => {
      connections += 1;
      socket.on("data", (bytes) => {
        if (!bytes.includes("POST")) return;
        const answer = answers.shift() ?? "";
        const next = (at: number): void => {
          socket.write(answer.slice(at, at + 1), () =>
            at + 1 < answer.length ? setImmediate(next, at + 1) : undefined,
          );
        };
        next(0);
      });
    });
    const client = createClient(One, transportTo(url));
    expect([await client.run(), await client.run(), connections]).toEqual(["ok", "ok", 1]);
  });

  it("ends a connection on which more comes than was asked for", async () => {
    let connections = 0;
    const url = await raw((socket) => {
      connections += 1;
      socket.on("data", () => {
        const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${GOOD.length}\r\n\r\n${GOOD}`;
        socket.write(answer + (connections === 1 ? answer : ""));
      });
    });
    const client = createClient(One, transportTo(url));
    expect([await client.run(), await client.run(), connections]).toEqual(["ok", "ok", 2]);
  });

  it("leaves a server that never answers at the deadline, and closes the connection by it", async () => {
    const clock = createFakeClock();
    const server = await stub(() => undefined);
    const client = createClient(One, transportTo(server.url, { clock, timeoutMs: 5_000 }), { clock });
    const call = failureOf(client.run());
    const short = failureOf(client.run(undefined, { timeoutMs: 1_000 }));
    while (server.seen.length < 2) await turns(1);
    expect(server.seen.map(({ headers }) => headers["x-rpc-timeout-ms"]).map(Number)).toEqual(
      expect.arrayContaining([1_000, 5_000]),
    );
    const gone = server.seen.map(({ socket }) => once(socket, "close"));
    clock.advance(1_000);
    expect((await short).code).toBe("DEADLINE_EXCEEDED");
    clock.advance(4_000);
    const error = await call;
    expect([error.code, error.delivered]).toEqual(["DEADLINE_EXCEEDED", "unknown"]);
    await Promise.all(gone);
    expect(clock.pendingCount).toBe(0);
  });

  it("holds a connection no longer than the deadline for a notification that is never answered", async () => {
    const clock = createFakeClock();
    const server = await stub(({ body }, response) => {
      if (body.includes("notes.note")) return;
      answerValue(response, "fine");
    });
    const Notes = defineContract("notes", { note: notification(), run: unary() });
    const transport = transportTo(server.url, { clock, maxConnections: 1 });
    const client = createClient(Notes, transport, { clock });
    await client.note(undefined, { timeoutMs: 1_000 });
    const call = client.run();
    while (server.seen.length === 0) await turns(1);
    const gone = once(server.seen[0]?.socket ?? neverSocket(), "close");
    clock.advance(1_000);
    await gone;
    expect(await call).toBe("fine");
    expect(clock.pendingCount).toBe(0);
  });

  it("sends gzip when told to, and reads gzip and deflate", async () => {
    const server = await stub((seen, response) => {
      const text = `<methodResponse><params><param><value>${seen.headers["content-encoding"] ?? "plain"}</value></param></params></methodResponse>`;
      response.writeHead(200, { "content-type": "text/xml", "content-encoding": "gzip" }).end(gzipSync(text));
    });
    const client = createClient(One, transportTo(server.url, { gzip: true, gzipRequestsFromBytes: 1_000 }));
    expect(await client.run("short")).toBe("plain");
    expect(await client.run("x".repeat(2_000))).toBe("gzip");
    expect(server.seen.map(({ headers }) => headers["accept-encoding"])).toEqual(["gzip", "gzip"]);
  });
});

describe("credentials", () => {
  const seenBy = async (build: (url: string) => XmlRpcTransport): Promise<string | undefined> => {
    const server = await stub((_, response) => answerValue(response, 1));
    await createClient(One, build(server.url)).run();
    expect(server.seen[0]?.url.includes("@")).toBe(false);
    return server.seen[0]?.headers.authorization;
  };

  it("decodes user and password of the URL, and keeps the query", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    const url = `${server.url.replace("//", "//u%40x:p%3Aw%C3%A9%25@")}?db=my%20db`;
    const transport = transportTo(url);
    await createClient(One, transport).run();
    const [seen] = server.seen;
    expect(Buffer.from(seen?.headers.authorization?.slice(6) ?? "", "base64").toString()).toBe("u@x:p:wé%");
    expect(seen?.url).toBe("/RPC2?db=my%20db");
    expect(transport.endpoint).toBe(`http://127.0.0.1:${server.port}/RPC2`);
    expect(JSON.stringify(transport) + inspect(transport)).not.toContain("p:w");
  });

  it("shows a token, asked for at each request, and prefers the option to the URL", async () => {
    let issued = 0;
    const token = (): string => `t${(issued += 1)}`;
    expect(await seenBy((url) => transportTo(url.replace("//", "//a:b@"), { auth: { token } }))).toBe("Bearer t1");
    expect(await seenBy((url) => transportTo(url, { auth: { token: "fixed" } }))).toBe("Bearer fixed");
    expect(await seenBy((url) => transportTo(url, { auth: { user: "ü", password: "" } }))).toBe("Basic w7w6");
    expect(await seenBy((url) => transportTo(url))).toBe(undefined);
  });

  it("fails the call when the token function throws or gives what no header can hold", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    for (const token of ["", "a b", "a\r\nx: y"]) {
      const error = await failureOf(createClient(One, transportTo(server.url, { auth: { token: () => token } })).run());
      expect(error.code).toBe("INVALID_ARGUMENT");
    }
    const broken = (): string => {
      throw new Error("no key today");
    };
    const error = await failureOf(createClient(One, transportTo(server.url, { auth: { token: broken } })).run());
    expect(error.message).toContain("no key today");
    expect(server.seen).toEqual([]);
  });

  it("keeps no cookie", async () => {
    const server = await stub((_, response) => answerValue(response, 1, { "set-cookie": "session=1" }));
    const client = createClient(One, transportTo(server.url));
    await client.run();
    await client.run();
    expect(server.seen.map(({ headers }) => headers.cookie)).toEqual([undefined, undefined]);
  });
});

describe("options", () => {
  it("refuses URLs that cannot be right, and quotes no credentials", () => {
    for (const url of [
      "",
      "host:8069",
      "geheim:key@host/RPC2",
      "ftp://u:geheim@host/",
      "http://u:geheim@host:port/",
      "http://u:geheim@h/#x",
    ]) {
      expect(() => createXmlRpcTransport(url)).toThrow(RpcError);
      expect(() => createXmlRpcTransport(url)).not.toThrow(/geheim/);
    }
  });

  it("refuses options that cannot be right", () => {
    const url = "http://127.0.0.1:1/RPC2";
    const wrong: readonly object[] = [
      { protocol: "soap" },
      { multicall: "always" },
      { params: "named" },
      { profile: "perl" },
      { timeoutMs: 0 },
      { timeoutMs: Number.NaN },
      { maxConnections: 0 },
      { maxReplyBytes: -1 },
      { tls: {} },
      { headers: { host: "evil" } },
      { headers: { "x y": "1" } },
      { headers: { x: "a\r\nb: c" } },
      { auth: { user: "a:b", password: "c" } },
      { auth: {} },
    ];
    expect(() => createXmlRpcTransport(`${url}/%E0`, { protocol: "json-2" })).toThrow(RpcError);
    for (const options of wrong) expect(() => createXmlRpcTransport(url, options)).toThrow(RpcError);
  });
});

function neverSocket(): never {
  throw new Error("no request was seen");
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A server that speaks bytes. */
async function raw(connected: (socket: import("node:net").Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    connected(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/RPC2`;
}
