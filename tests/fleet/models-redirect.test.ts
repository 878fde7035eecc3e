/** Servers that redirect the request for their list. */
import { describe, expect, test } from "bun:test";
import { readModels } from "../../src/fleet/models.ts";
import { modelList, startModelServer } from "../support/proxy/discovery.ts";
import { within } from "../support/until.ts";

const LIMITS = { timeoutMs: 2_000, bytesMax: 16_384 };

/** Gives the answer of the test for any path, and remembers the requests. */
function startAny(answer: (pathname: string, port: number) => Response): {
  readonly url: string;
  readonly asked: string[];
  readonly [Symbol.dispose]: () => void;
} {
  const asked: string[] = [];
  const server: Bun.Server<undefined> = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url, headers }): Response => {
      const { pathname, search } = new URL(url);
      asked.push(`${pathname}${search} ${headers.get("via") ?? ""}`.trim());
      return answer(pathname, server.port ?? 0);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    asked,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

function redirect(location: string, status = 307): Response {
  return new Response("see there", { status, headers: { location } });
}

describe("readModels(), redirected", () => {
  function readAny(url: string): Promise<readonly string[]> {
    const { signal } = new AbortController();
    const reading = readModels(url, signal, { ...LIMITS, via: "1.1 us" });
    return within("the models", reading).then(({ models }) => models.map(({ id }) => id));
  }

  test.each([301, 302, 303, 307, 308])(
    "follows %d to the same server, with the same headers (aibrix: to /v1/models/)",
    async (status) => {
      using server = startAny((path) =>
        path === "/v1/models" ? redirect("/v1/models/", status) : modelList("m"),
      );
      expect(await readAny(server.url)).toEqual(["m"]);
      expect(server.asked).toEqual(["/v1/models 1.1 us", "/v1/models/ 1.1 us"]);
    },
  );

  test.each<[what: string, location: (port: number) => string, path: string]>([
    ["a whole URL", (port) => `http://127.0.0.1:${port}/v1/models/?all=1#x`, "/v1/models/?all=1"],
    ["a relative path", () => "models/", "/v1/models/"],
    ["only a query", () => "?all=1", "/v1/models?all=1"],
    ["user and password", (port) => `http://a:b@127.0.0.1:${port}/m`, "/m"],
  ])("takes a Location with %s", async (_what, location, path) => {
    let count = 0;
    using server = startAny((_path, port) => {
      count += 1;
      return count === 1 ? redirect(location(port)) : modelList("m");
    });
    expect(await readAny(server.url)).toEqual(["m"]);
    expect(server.asked[1]).toBe(`${path} 1.1 us`);
  });

  test.each<[what: string, location: string]>([
    ["another server", "http://127.0.0.1:1/v1/models"],
    ["another scheme", "https://127.0.0.1/v1/models"],
    ["another server without a scheme", "//127.0.0.1:1/v1/models"],
    ["no URL", "http://["],
    ["a file", "file:///v1/models"],
    ["data", "data:application/json,[]"],
  ])("does not follow a redirect to %s", async (_what, location) => {
    using server = startAny(() => redirect(location));
    await expect(readAny(server.url)).rejects.toThrow(
      `307 Temporary Redirect – it redirects to ${JSON.stringify(location)}: set the label inference.api.base_path to the path of its API`,
    );
    expect(server.asked).toHaveLength(1);
  });

  test.each([300, 304, 305])("does not follow a %d", async (status) => {
    using server = startAny(() => redirect("/v1/models/", status));
    await expect(readAny(server.url)).rejects.toThrow(`${status} `);
    expect(server.asked).toHaveLength(1);
  });

  test("follows only one redirect", async () => {
    using server = startAny((path) => redirect(`${path}/`));
    await expect(readAny(server.url)).rejects.toThrow(
      'it redirects to "/v1/models//": set the label inference.api.base_path to the path of its API',
    );
    expect(server.asked).toHaveLength(2);
  });

  test.each<[what: string, answer: () => Response, reason: string]>([
    ["HTML", () => new Response("<html>"), "the answer is HTML, not JSON"],
    ["503", () => new Response("", { status: 503 }), "503 Service Unavailable"],
    ["404", () => new Response("", { status: 404 }), "404 Not Found – the server has no /login"],
    ["too much", () => new Response("x".repeat(16_385)), "the answer is larger than 16 KiB"],
  ])("names the target if the answer there is %s", async (_what, answer, reason) => {
    using server = startAny((path) => (path === "/v1/models" ? redirect("/login") : answer()));
    await expect(readAny(server.url)).rejects.toThrow(
      `GET /v1/models redirects to "/login": ${reason}`,
    );
  });

  test("both requests together have the time limit of one read", async () => {
    using server = startModelServer();
    server.answer = () => redirect("/info");
    server.info = () => new Promise(() => undefined);
    const reading = readModels(`http://127.0.0.1:${server.port}/v1`, new AbortController().signal, {
      ...LIMITS,
      timeoutMs: 300,
    });
    await expect(within("the failure", reading)).rejects.toThrow("within 0.3 s");
  });
});
