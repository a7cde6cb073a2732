import { RpcError } from "@rpc/core";
import { describe, expect, it } from "vitest";
import { formatAddress, formatEndpoint, isLoopback, parseEndpoint } from "../src/endpoint.ts";

function refusal(text: string, use: "dial" | "listen" = "dial"): RpcError {
  try {
    parseEndpoint(text, use);
  } catch (thrown) {
    return RpcError.from(thrown);
  }
  throw new Error(`${text} was taken`);
}

describe("parseEndpoint", () => {
  it.each([
    ["tcp://127.0.0.1:7000", { scheme: "tcp", host: "127.0.0.1", port: 7000 }],
    ["TCP://example.org:7000/", { scheme: "tcp", host: "example.org", port: 7000 }],
    ["tcps://bücher.example:443", { scheme: "tcps", host: "bücher.example", port: 443 }],
    ["tcp://[::1]:7000", { scheme: "tcp", host: "::1", port: 7000 }],
    ["tcp://:7000", { scheme: "tcp", host: "127.0.0.1", port: 7000 }],
    ["unix:/run/bot.sock", { scheme: "unix", path: "/run/bot.sock" }],
    ["unix:///run/bot.sock", { scheme: "unix", path: "/run/bot.sock" }],
    ["unix:bot.sock", { scheme: "unix", path: "bot.sock" }],
  ])("reads %s", (text, expected) => {
    expect(parseEndpoint(text, "dial")).toEqual(expected);
  });

  it.each([
    ["http://127.0.0.1:7000", /scheme http:/],
    ["127.0.0.1:7000", /no scheme/],
    ["", /no scheme/],
    ["tcp:127.0.0.1:7000", /another form/],
    ["tcp://127.0.0.1", /port is missing/],
    ["tcp://[::1]", /port is missing, as in tcp:\/\/\[::1\]:7000/],
    ["tcp://127.0.0.1:65536", /larger than 65535/],
    ["tcp://127.0.0.1:7000/path", /another form/],
    ["tcp://::1:7000", /another form/],
    ["tcp://[127.0.0.1]:7000", /no IPv6/],
    ["tcp://a b:7000", /character/],
    ["tcp://127.0.0.1:7000#x", /fragment/],
    ["tcp://127.0.0.1:0", /port 0/],
    ["unix:", /path of the socket file/],
    ["unix://host/run/bot.sock", /path of the socket file/],
    ["unix:/run/", /path of the socket file/],
    ["unix:/run/\0bot", /zero byte/],
    [`unix:/${"x".repeat(200)}`, /shorter folder/],
  ])("C16 refuses %s", (text, expected) => {
    const error = refusal(text);
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(expected);
  });

  it("C16 refuses an unknown parameter by its name", () => {
    expect(refusal("tcp://127.0.0.1:7000?noDelay=1").message).toMatch(/parameter "noDelay" is unknown/);
    expect(refusal("unix:/run/bot.sock?mode=0666").message).toMatch(/parameter "mode" is unknown/);
  });

  it.each([
    "tcp://bot:hunter2@127.0.0.1:7000",
    "tcp://hunter2@127.0.0.1:7000",
    "tcp://127.0.0.1:7000?secret=hunter2",
    "tcp://127.0.0.1:7000?hunter2",
    "tcp://127.0.0.1:7000#hunter2",
    "unix:/run/bot.sock?secret=hunter2",
    "redis://bot:hunter2@127.0.0.1:7000",
  ])("H39 never repeats a secret: %s", (text) => {
    expect(refusal(text).message).not.toContain("hunter2");
  });

  it("takes port 0 for listening", () => {
    expect(parseEndpoint("tcp://127.0.0.1:0", "listen")).toMatchObject({ port: 0 });
  });
});

describe("formatEndpoint", () => {
  it.each(["tcp://127.0.0.1:7000", "tcps://[::1]:7000", "unix:/run/bot.sock"])("gives %s back", (text) => {
    expect(formatEndpoint(parseEndpoint(text, "dial"))).toBe(text);
  });

  it("shows an IPv4 address that came in over IPv6 as what it is", () => {
    expect(formatAddress("::ffff:10.0.0.1", 7000)).toBe("10.0.0.1:7000");
  });
});

describe("isLoopback", () => {
  it.each([
    ["tcp://127.0.0.1:1", true],
    ["tcp://127.8.9.10:1", true],
    ["tcp://[::1]:1", true],
    ["tcp://[::ffff:127.0.0.1]:1", true],
    ["tcp://localhost:1", true],
    ["unix:/run/bot.sock", true],
    ["tcp://0.0.0.0:1", false],
    ["tcp://[::]:1", false],
    ["tcp://10.0.0.1:1", false],
    ["tcp://localhost.example.org:1", false],
  ])("H40 %s: %s", (text, expected) => {
    expect(isLoopback(parseEndpoint(text, "dial"))).toBe(expected);
  });
});
