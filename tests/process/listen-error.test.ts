import { describe, expect, test } from "bun:test";
import { explainListen } from "../../src/process/listen-error.ts";

/** TEST-NET-3 (RFC 5737): nobody's. */
const FOREIGN = "203.0.113.9";

/** As server.ts listens. */
function start(hostname: string | undefined, port: number): Bun.Server<undefined> {
  return Bun.serve({
    port,
    ...(hostname !== undefined && { hostname }),
    reusePort: false,
    fetch: () => new Response("ok"),
  });
}

describe("explainListen() names address, port and what to change", () => {
  function failureOf(host: string | undefined, port: number): string {
    try {
      void start(host, port).stop(true);
      return "it listens";
    } catch (error) {
      return explainListen({ host, port }, error);
    }
  }

  test.each([undefined, "127.0.0.1"])("when the port is taken, on %p", (host) => {
    using other = start(host, 0);
    const at = host === undefined ? "" : ` of ${host}`;
    const text = failureOf(host, other.port ?? 0);
    expect(text).toStartWith(`cannot listen on port ${other.port}${at}: `);
    expect(text).toEndWith("; choose another in PROXY_PORT");
  });

  test.each([FOREIGN, "2001:db8::9", "fe80::1"])("when the address %s is not ours", (host) => {
    const text = failureOf(host, 65_000);
    expect(text).toStartWith(`cannot listen on port 65000 of ${host}: `);
    expect(text).toEndWith("; name an address of this machine in PROXY_HOST");
  });

  test("when the port is for root alone", () => {
    const error = Object.assign(new Error("permission denied"), { code: "EACCES" });
    expect(explainListen({ host: "127.0.0.1", port: 80 }, error)).toBe(
      "cannot listen on port 80 of 127.0.0.1: permission denied; allow it by PROXY_USER=0 or the capability CAP_NET_BIND_SERVICE, or choose another in PROXY_PORT",
    );
  });
});
