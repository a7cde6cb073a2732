import { describe, expect, it } from "vitest";
import { dialSettings, listenSettings } from "../src/options.ts";

describe("dialSettings", () => {
  it("has the documented defaults", () => {
    expect(dialSettings({})).toMatchObject({
      maxMessageBytes: 4 * 1024 * 1024,
      partialFrameTimeoutMs: 10_000,
      closeTimeoutMs: 5_000,
      keepAliveMs: 0,
      connectTimeoutMs: 10_000,
    });
  });

  it("treats undefined like left out, and 0 as zero", () => {
    const settings = dialSettings({ connectTimeoutMs: undefined, partialFrameTimeoutMs: 0 });
    expect(settings).toMatchObject({ connectTimeoutMs: 10_000, partialFrameTimeoutMs: 0 });
  });
});

describe("listenSettings", () => {
  it("has the documented defaults", () => {
    expect(listenSettings({})).toMatchObject({
      allowInsecure: false,
      maxConnections: 10_000,
      backlog: 511,
      socketMode: 0o600,
      handshakeTimeoutMs: 10_000,
      tls: undefined,
    });
  });

  it.each([
    ["maxConnections", -1],
    ["backlog", 1.5],
    ["closeTimeoutMs", Number.NaN],
    ["partialFrameTimeoutMs", 2 ** 31],
    ["maxMessageBytes", -1],
    ["unauthenticatedTimeoutMs", Number.POSITIVE_INFINITY],
  ])("refuses %s: %d by its name", (name, value) => {
    expect(() => listenSettings({ [name]: value })).toThrow(new RegExp(`option ${name} must be a whole number`));
  });
});
