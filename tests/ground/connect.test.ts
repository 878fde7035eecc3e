import { expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type ConnectTry, tryConnect } from "../../src/ground/connect.ts";
import { freePort, rawServer } from "../support/client/raw-http.ts";
import { blackhole } from "../support/server/blackhole.ts";
import { until } from "../support/until.ts";

test("tryConnect() connects to a listening server, closes the connection, and sends nothing", async () => {
  using server = await rawServer();
  expect(await tryConnect(server.origin, 3_000)).toBe("connected");
  await until("it is closed", () => server.connections[0]?.closed() === true);
  expect(server.connections[0]?.received()).toBe("");
});

test("tryConnect() to a port without a listener is refused, on IPv6 too", async () => {
  const port = await freePort();
  expect(await tryConnect(`http://127.0.0.1:${port}`, 3_000)).toBe("refused");
  expect(["refused", "no route", "failed"]).toContain<ConnectTry>(
    await tryConnect(`http://[::1]:${port}`, 3_000),
  );
});

test("tryConnect() to an address that drops SYNs times out", async () => {
  using hole = await blackhole();
  const startMs = performance.now();
  expect(await tryConnect(hole.origin, 100)).toBe("timed out");
  expect(performance.now() - startMs).toBeWithin(95, 1_000);
});

test("tryConnect() fails for an invalid address", async () => {
  expect(await tryConnect("http://255.255.255.255:9", 3_000)).not.toBe("connected");
});

test("tryConnect() removes the brackets of an IPv6 address", async () => {
  const server = createServer().listen(0, "::1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await tryConnect(`http://[::1]:${port}`, 3_000)).toBe("connected");
  server.close();
});

test("tryConnect() returns failed when the attempt itself fails", async () => {
  expect(await tryConnect("http://nowhere.invalid:9", 10_000)).toBe("failed");
});
