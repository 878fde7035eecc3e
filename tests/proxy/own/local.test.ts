import { describe, expect, test } from "bun:test";
import { local } from "../../../src/proxy/own/local.ts";
import { splitTarget } from "../../../src/proxy/target.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { makeBackend } from "../../support/server/backends.ts";

function answer(path: string, init: RequestInit = {}, isReady = true): Response | undefined {
  const routes = new RoutingTable();
  routes.admit(makeBackend());
  const request = new Request(`http://a${path}`, init);
  const context = { routes, isReady: () => isReady, pseudonym: "proxy-1" };
  return local(request, splitTarget(request.url), context);
}

describe("local()", () => {
  test.each<[path: string, isReady: boolean, status: number, says: string]>([
    ["/healthz", false, 200, "ok\n"],
    ["/health", false, 200, "ok\n"],
    ["/readyz", true, 200, "ready\n"],
    ["/readyz", false, 503, "starting\n"],
    ["/v1/models", true, 200, '{"object":"list","data":[{"id":"m"}]}'],
    ["/v1/models?x=1", false, 200, '{"object":"list","data":[{"id":"m"}]}'],
    ["/v1/models/", true, 200, '{"object":"list","data":[{"id":"m"}]}'],
  ])("answers %s, ready: %p, with %d", async (path, isReady, status, says) => {
    const response = answer(path, {}, isReady)!;
    expect([response.status, await response.text()]).toEqual([status, says]);
  });

  test.each(["/", "/v2/models", "/healthz/", "/health/", "/V1/models", "/V1"])(
    "answers not_found for the path %s",
    async (path) => {
      expect(await answer(path)?.json()).toMatchObject({ error: { code: "not_found" } });
    },
  );

  test.each(["/v1", "/v1/"])("describes the proxy and names the model list at %s", async (path) => {
    for (const method of ["GET", "HEAD"]) {
      const about = answer(path, { method });
      expect([about?.status, about?.headers.get("content-type")]).toEqual([
        200,
        "application/json;charset=utf-8",
      ]);
    }
    const about = await answer(path, {}, false)?.json();
    expect(about).toMatchObject({ name: "lw-inference-proxy", models: "/v1/models" });
    expect(JSON.stringify(about)).not.toMatch(/version|\d+\.\d+/);
    expect(answer(path, { headers: { via: "1.1 proxy-1" } })?.status).toBe(200);
  });

  test.each<[path: string, method: string]>([
    ["/v1", "POST"],
    ["/v1", "OPTIONS"],
    ["/embed", "GET"],
    ["/api/chat", "DELETE"],
    ["/api/delete", "POST"],
  ])("refuses %s with %s", async (path, method) => {
    const refused = answer(path, { method });
    expect([refused?.status, await refused?.json()]).toMatchObject([
      404,
      { error: { code: "not_found" } },
    ]);
  });

  test.each<[path: string, method: string]>([
    ["/v1/models", "POST"],
    ["/v1/models", "OPTIONS"],
    ["/v1/models/m", "GET"],
    ["/v1/chat/completions", "POST"],
    ["/v1/models/", "POST"],
    ["/v1/", "POST"],
    ["/v1/", "OPTIONS"],
    ["/embed", "POST"],
  ])("leaves %s with %s to a server", (path, method) => {
    expect(answer(path, { method })).toBeUndefined();
  });

  test("refuses the model list to the proxy itself (a loop)", () => {
    for (const path of ["/v1/models", "/v1/models/"]) {
      expect(answer(path, { headers: { via: "1.1 proxy-1" } })?.status).toBe(508);
    }
    expect(answer("/v1/models", { headers: { via: "1.1 proxy-2" } })?.status).toBe(200);
  });
});
