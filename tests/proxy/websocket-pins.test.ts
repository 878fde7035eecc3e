/**
 * Behaviour of Bun that the proxy relies on and no manual promises. A failure here means that another version of Bun
 * behaves differently: check the proxy before you change this test.
 */
import { expect, test } from "bun:test";
import { WebSocket } from "ws";
import { rawConnect, rawServer } from "../support/client/raw-http.ts";
import { expectNever, until, within } from "../support/until.ts";
import { OPCODE, unmasked } from "../support/websocket/frames.ts";
import { handshakeRequest, switchingProtocols } from "../support/websocket/handshake.ts";

const OPTIONS = {
  headers: {},
  perMessageDeflate: false,
  maxPayload: 1_000,
  autoPong: false,
  followRedirects: false,
  closeTimeout: 1_000,
} as const;

/** The key of a handshake that came over a raw socket. */
function keyIn(request: string): string | undefined {
  return /sec-websocket-key: (\S+)/i.exec(request)?.[1];
}

/** A server on a raw socket that accepts one handshake and chooses a subprotocol. */
async function choosingServer(): Promise<{
  readonly server: Awaited<ReturnType<typeof rawServer>>;
}> {
  const server = await rawServer();
  void server.request().then((connection) => {
    const key = keyIn(connection.received());
    connection.send(switchingProtocols(key, ["Sec-WebSocket-Protocol: chosen"]));
  });
  return { server };
}

function end(client: WebSocket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  client.on("open", () => resolve("open"));
  client.on("error", ({ message }) => resolve(message));
  return within("the end of the handshake", promise);
}

test("ws: the listener of `upgrade` gets the same array of headers that ws validates afterwards", async () => {
  const { server: first } = await choosingServer();
  using _first = first;
  const spliced = new WebSocket(first.origin.replace("http", "ws"), [], OPTIONS);
  spliced.on("upgrade", ({ rawHeaders }) => {
    const at = rawHeaders.findIndex((name) => name.toLowerCase() === "sec-websocket-protocol");
    expect(rawHeaders[at + 1]).toBe("chosen");
    rawHeaders.splice(at, 2);
  });
  expect(await end(spliced)).toBe("open");
  spliced.terminate();

  const { server: second } = await choosingServer();
  using _second = second;
  const untouched = new WebSocket(second.origin.replace("http", "ws"), [], OPTIONS);
  expect(await end(untouched)).toBe("Server sent a subprotocol but none was requested");
});

test("ws: with `autoPong: false` the server's ping is reported and not answered", async () => {
  using server = await rawServer();
  const client = new WebSocket(server.origin.replace("http", "ws"), [], OPTIONS);
  const pinged = Promise.withResolvers<string>();
  client.on("ping", (data) => pinged.resolve(data.toString()));
  const connection = await server.request();
  const asked = connection.received().length;
  connection.send(switchingProtocols(keyIn(connection.received())));
  connection.send(unmasked({ opcode: OPCODE.ping, payload: "beat" }).toString("latin1"));
  expect(await within("the ping", pinged.promise)).toBe("beat");
  await expectNever("a pong comes", () => connection.received().length > asked, 50);
  client.terminate();
});

test("Bun.serve: `open` is called within `server.upgrade()`", async () => {
  const order: string[] = [];
  using server = Bun.serve({
    port: 0,
    fetch: async (request, bun) => {
      await Bun.sleep(0);
      order.push("before");
      bun.upgrade(request);
      order.push("after");
    },
    websocket: { open: () => void order.push("open"), message: () => undefined },
  });
  using client = await rawConnect(server.port ?? 0);
  client.send(handshakeRequest());
  await until("it is upgraded", () => order.includes("after"));
  expect(order).toEqual(["before", "open", "after"]);
});

test.each([
  ["none: Bun chooses the first offered one", {}, "one"],
  ["an empty one: Bun chooses none", { "Sec-WebSocket-Protocol": "" }, undefined],
  ["one that the client did not offer", { "Sec-WebSocket-Protocol": "other" }, "other"],
] as const)(
  "Bun.serve: `server.upgrade()` is given as subprotocol %s",
  async (_what, headers, chosen) => {
    using server = Bun.serve({
      port: 0,
      fetch: (request, bun) => {
        bun.upgrade(request, { headers });
      },
      websocket: { message: () => undefined },
    });
    using client = await rawConnect(server.port ?? 0);
    client.send(handshakeRequest({ headers: ["Sec-WebSocket-Protocol: one, two"] }));
    await client.waitFor("\r\n\r\n");
    expect(/sec-websocket-protocol: ?(.*?)\r\n/i.exec(client.received())?.[1]).toBe(chosen);
  },
);
