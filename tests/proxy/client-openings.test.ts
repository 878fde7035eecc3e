/** Replays the first requests of real clients on the wire: no answer of the proxy may stop a client from starting. */
import { describe, expect, test } from "bun:test";
import { parseMessage } from "../support/client/http-message.ts";
import { CODEX_WEBSOCKET, OPENINGS, type Opening, written } from "../support/client/openings.ts";
import { type RawConnection, rawConnect } from "../support/client/raw-http.ts";
import { type RunningProxy, startProxy } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { type FakeBackend, fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

/** There are two servers, one of them for `m`: the proxy can route only requests that name a model. */
function startProxyTo({ origin }: FakeBackend): RunningProxy {
  return startProxy({
    backends: [makeBackend({ origin }), makeBackend({ models: [{ id: "other" }] })],
  });
}

type Received = { readonly status: number; readonly head: string; readonly body: string };

/** Sends the request over the connection and waits for the whole answer. */
async function exchange(connection: RawConnection, opening: Opening): Promise<Received> {
  const before = connection.received().length;
  const answer = (): string => connection.received().slice(before);
  connection.send(written(opening));
  const isHead = opening.lines[0]?.startsWith("HEAD ");
  await until("its answer is complete", () =>
    isHead
      ? answer().endsWith("\r\n\r\n")
      : parseMessage(Buffer.from(answer(), "latin1")) !== undefined,
  );
  const [head = "", body = ""] = answer().split("\r\n\r\n");
  return { status: Number(answer().slice(9, 12)), head, body };
}

describe("a client's opening", () => {
  test.each(OPENINGS.map((opening) => [opening.client, opening.what, opening] as const))(
    "%s: %s",
    async (_client, _what, opening) => {
      using upstream = fakeBackend();
      using proxy = startProxyTo(upstream);
      using connection = await rawConnect(proxy.port);
      expect((await exchange(connection, opening)).status).toBe(opening.status);
      const isRouted = opening.body !== undefined;
      expect(upstream.received.map(({ target }) => target)).toEqual(
        isRouted ? [opening.lines[0]?.split(" ")[1] ?? ""] : [],
      );
      expect(proxy.log.lines).toEqual([]);
    },
  );

  test("works over one connection with all others: a refusal does not harm the next request", async () => {
    using upstream = fakeBackend();
    using proxy = startProxyTo(upstream);
    using connection = await rawConnect(proxy.port);
    const statuses: number[] = [];
    for (const opening of OPENINGS) statuses.push((await exchange(connection, opening)).status);
    expect(statuses).toEqual(OPENINGS.map(({ status }) => status));
    expect(connection.closed()).toBe(false);
  });

  test("gets a 426 with the protocol to use in its headers, and what to do in its body", async () => {
    using proxy = startProxy();
    using connection = await rawConnect(proxy.port);
    const { head, body } = await exchange(connection, CODEX_WEBSOCKET);
    const lines = head.toLowerCase().split("\r\n");
    expect(lines[0]).toBe("http/1.1 426 upgrade required");
    expect(lines).toContain("upgrade: http/1.1");
    expect(lines).toContain("connection: upgrade");
    expect(JSON.parse(body)).toEqual({
      type: "error",
      error: {
        type: "invalid_request_error",
        message:
          "Cannot route the request: no server takes requests now; try again shortly; or send POST /v1/responses over HTTP instead",
        param: null,
        code: "upgrade_required",
      },
    });
  });
});
