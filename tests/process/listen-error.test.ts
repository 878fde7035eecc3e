import { describe, expect, test } from "bun:test";
import { explainListen } from "../../src/process/listen-error.ts";

/** TEST-NET-3 (RFC 5737): no machine has it. */
const FOREIGN = "203.0.113.9";

/** Listens like server.ts. */
function start(hostname: string | undefined, port: number): Bun.Server<undefined> {
  return Bun.serve({
    port,
    ...(hostname !== undefined && { hostname }),
    reusePort: false,
    fetch: () => new Response("ok"),
  });
}

describe("explainListen() says the address, the port and the variable to change", () => {
  function failureOf(host: string | undefined, port: number): string {
    try {
      void start(host, port).stop(true);
      return "it listens";
    } catch (error) {
      return explainListen({ host, port }, error);
    }
  }

  test.each([undefined, "127.0.0.1"])("if the port is taken on %p", (host) => {
    using other = start(host, 0);
    const at = host === undefined ? "" : ` of ${host}`;
    const text = failureOf(host, other.port ?? 0);
    expect(text).toBe(
      `cannot listen on port ${other.port}${at}: the port is in use; stop the other program, or set PROXY_PORT to another port`,
    );
  });

  test.each([
    [FOREIGN, "has no"],
    ["2001:db8::9", "has no"],
    ["fe80::1", "cannot use the"],
  ])("if this machine does not have the address %s", (host, says) => {
    expect(failureOf(host, 65_000)).toBe(
      `cannot listen on port 65000 of ${host}: this machine ${says} address ${host}; set PROXY_HOST to an IP address of this machine`,
    );
  });

  test("if only root may use the port", () => {
    const error = Object.assign(new Error("permission denied"), { code: "EACCES" });
    expect(explainListen({ host: "127.0.0.1", port: 80 }, error)).toBe(
      "cannot listen on port 80 of 127.0.0.1: permission denied; set PROXY_USER=0, or add the capability CAP_NET_BIND_SERVICE, or set PROXY_PORT to another port",
    );
  });
});
