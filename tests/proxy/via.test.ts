import { describe, expect, test } from "bun:test";
import { newPseudonym } from "../../src/ground/pseudonym.ts";
import { loopOf } from "../../src/proxy/via.ts";
import { chat } from "../support/client/requests.ts";
import { startProxy, startProxyTo } from "../support/proxy/in-process.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";

describe("loopOf()", () => {
  const US = "lw-inference-proxy-00c0ffee";

  test.each<[via: string, isLoop: boolean]>([
    ["", false],
    [`1.1 ${US}`, false],
    [`1.1 ${US}, 1.1 ${US}`, false],
    [`1.1 ${US}, 1.1 ${US}, 1.1 ${US}`, true],
    [`1.1 a (x), HTTP/1.1 ${US} (b),1.0   ${US} ,2 c, 1.1 ${US}`, true],
    [`1.1 ${US}1, 1.1 ${US}2, 1.1 ${US}3`, false],
    [`${US}, ${US}, ${US}`, false],
    [`1.1 a (1.1 ${US} 1.1 ${US} 1.1 ${US})`, false],
    [",".repeat(600), false],
  ])("of Via %p: %p", (via, isLoop) => {
    const request = new Request("http://a/", { headers: { via } });
    expect(loopOf(request, US)?.status).toBe(isLoop ? 508 : undefined);
  });
});

test("newPseudonym() gives each process another name", () => {
  expect(newPseudonym()).not.toBe(newPseudonym());
});

describe("createHandler()", () => {
  test("ends a loop through itself at the fourth pass", async () => {
    const backend = { origin: "", seen: 1 };
    using relay = fakeBackend((request) => fetch(`${backend.origin}/v1/chat/completions`, request));
    using proxy = startProxy({ backends: [makeBackend({ origin: relay.origin })] });
    backend.origin = proxy.origin;
    const answer = await chat(proxy.origin, "m");
    expect(answer.status).toBe(508);
    expect(await answer.json()).toMatchObject({
      type: "error",
      error: { type: "api_error", code: "loop_detected" },
    });
    expect(relay.received).toHaveLength(3);
  });

  test("passes on a request that came through another such proxy, or twice through itself", async () => {
    using server = fakeBackend();
    using inner = startProxyTo(server.origin);
    using outer = startProxyTo(inner.origin);
    expect((await chat(outer.origin, "m")).status).toBe(200);
    const via = server.received[0]?.headers.get("via")?.split(", ") ?? [];
    expect(via).toHaveLength(2);
    expect(new Set(via).size).toBe(2);
  });

  test("does not list models to itself, because such a model would stay forever", async () => {
    using proxy = startProxy({ backends: [makeBackend()], pseudonym: "us" });
    const list = (via: string): Promise<Response> =>
      fetch(`${proxy.origin}/v1/models`, { headers: { via } });
    expect((await list("1.1 other")).status).toBe(200);
    const own = await list("1.1 us, 1.1 relay");
    expect(own.status).toBe(508);
    expect(await own.json()).toMatchObject({ error: { code: "loop_detected" } });
  });
});
