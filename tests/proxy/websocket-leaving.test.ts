/** A client that leaves during the handshake with the server ends the handshake. */
import { describe, expect, test } from "bun:test";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { until } from "../support/until.ts";
import { handshakeRequest } from "../support/websocket/handshake.ts";

describe("a client that leaves before the server has answered the handshake", () => {
  test.each([
    ["FIN", "end"],
    ["RST", "reset"],
  ] as const)("by %s ends the handshake with the server at once", async (_how, leave) => {
    using server = await rawServer();
    using proxy = startProxyTo(server.origin);
    using client = await rawConnect(proxy.port);
    client.send(handshakeRequest());
    const connection = await server.request();
    expect(proxy.backend.inFlight).toBe(1);
    const leftMs = performance.now();
    client[leave]();
    await connection.waitForClose();
    // 1 to 8 ms on an idle machine (measured, Bun 1.4.5).
    expect(performance.now() - leftMs).toBeLessThan(100);
    await until("the lease has ended", () => proxy.backend.inFlight === 0);
  });
});
