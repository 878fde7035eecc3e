import { describe, expect, test } from "bun:test";
import { Engine } from "../../src/engine/engine.ts";
import { EngineError } from "../../src/engine/error.ts";
import { isLabelled } from "../../src/sources/labels.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { RULE_FOR_TRAEFIK, startWollomatic } from "../support/engine/socket-proxy/wollomatic.ts";

const RELEASES = [
  ["20.10", "1.41"],
  ["26", "1.45"],
  ["29.0", "1.52"],
  ["29.3", "1.52"],
] as const;

const OUR_PATHS = String.raw`/v1\.\d+/(version|events|containers/json|containers/[^/]+/json)`;

function engineAt(host: string): Engine {
  const port = Number(new URL(host).port);
  return new Engine({ kind: "tcp", host: "127.0.0.1", port }, 2_000);
}

/** A server that chooses its answer by the path. */
function answering(answer: (path: string) => Response) {
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) => {
      const { pathname } = new URL(url);
      asked.push(pathname);
      return answer(pathname);
    },
  });
  return {
    asked,
    host: `tcp://127.0.0.1:${server.port}`,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

async function failureOf(engine: Engine): Promise<EngineError> {
  const error = await engine.list(isLabelled).catch((reason: unknown) => reason);
  if (error instanceof EngineError) return error;
  throw new Error(`not an EngineError: ${String(error)}`);
}

/** Lists, inspects and opens the event stream, as the proxy does. */
async function useAll(engine: Engine, id: string): Promise<void> {
  const { signal } = new AbortController();
  const events = await engine.openEvents({ since: () => 0, signal });
  expect(await engine.list(isLabelled)).toEqual([id]);
  expect((await engine.inspect(id))?.id).toBe(id);
  await events.return(undefined);
}

describe("agreeOnVersion()", () => {
  test.each(RELEASES)(
    "Docker %s reports its version with the first request",
    async (release, v) => {
      using fake = (await new FakeEngine().start()).become(release);
      const engine = new Engine({ kind: "unix", path: fake.socketPath });
      await engine.list(isLabelled);
      expect(fake.requests).toEqual(["/v1.52/version", `/v${v}/containers/json?all=1`]);
      expect(engine.apiVersion).toBe(v);
    },
  );

  test("uses the oldest version of a newer engine that no longer supports ours", async () => {
    using fake = await new FakeEngine().start();
    Object.assign(fake, { apiVersion: "1.60", minApiVersion: "1.54" });
    expect(await new Engine({ kind: "unix", path: fake.socketPath }).list(isLabelled)).toEqual([]);
    expect(fake.requests.at(-1)).toStartWith("/v1.54/");
  });

  describe.each(RELEASES)("Docker %s behind wollomatic's socket-proxy", (release, version) => {
    test.each([
      ["its README's rule for Traefik", RULE_FOR_TRAEFIK],
      ["our README's rule", OUR_PATHS],
      ["a rule for /_ping instead of the version", `/_ping|${OUR_PATHS.replace("version|", "")}`],
      ["a rule for /version without a version", `/version|${OUR_PATHS.replace("version|", "")}`],
    ])("%s is enough", async (_what, allowGet) => {
      using fake = (await new FakeEngine().start()).become(release);
      const { id } = fake.add();
      await using proxy = await startWollomatic(fake.socketPath, { allowGet });
      const engine = engineAt(proxy.host);
      await useAll(engine, id);
      expect(engine.apiVersion).toBe(version);
    });
  });

  test("our README's rule forbids requests that the proxy does not need", async () => {
    using fake = await new FakeEngine().start();
    await using proxy = await startWollomatic(fake.socketPath, { allowGet: OUR_PATHS });
    for (const path of ["/v1.41/containers/x/logs", "/v1.41/containers/x/archive", "/v1.41/info"]) {
      expect((await fetch(`${proxy.origin}${path}`)).status).toBe(403);
    }
    const created = await fetch(`${proxy.origin}/v1.41/containers/create`, { method: "POST" });
    expect(created.status).toBe(405);
  });

  test.each([
    [403, "Forbidden", { allowGet: "/info" }],
    [405, "Method Not Allowed", {}],
  ])("a %p on every path says what to allow", async (status, text, rules) => {
    using fake = await new FakeEngine().start();
    await using proxy = await startWollomatic(fake.socketPath, rules);
    const { kind, message } = await failureOf(engineAt(proxy.host));
    expect(kind).toBe("forbidden");
    expect(message).toBe(
      `The engine answered ${status} to GET /version: ${text}; allow this request in the socket proxy: set -allowGET=${OUR_PATHS} and -allowfrom=<host name of this proxy>`,
    );
  });

  test("never uses a newer version than it knows, whatever a refusal says", async () => {
    using server = answering((path) => {
      if (!path.endsWith("/version")) return Response.json([]);
      const message = "client version 1.52 is too new. Maximum supported API version is 1.9999";
      return Response.json({ message }, { status: 400 });
    });
    await engineAt(server.host).list(isLabelled);
    expect(server.asked).toEqual(["/v1.52/version", "/v1.52/containers/json"]);
  });

  test.each<[what: string, status: number, body: string, headers: Record<string, string>]>([
    ["a refusal without a version and without a header", 400, "what?", {}],
    ["a redirect", 302, "", { location: "/login" }],
    ["a page", 200, "<html>hello</html>", { "content-type": "text/html" }],
    ["a failure", 500, "sorry", {}],
    ["a gateway without an engine", 502, "<html>Bad Gateway</html>", {}],
  ])("%s: asks for the next path", async (_what, status, body, headers) => {
    using server = answering((path) => {
      if (path === "/v1.52/version") return new Response(body, { status, headers });
      return path === "/version" ? Response.json({ ApiVersion: "1.44" }) : Response.json([]);
    });
    expect(await engineAt(server.host).list(isLabelled)).toEqual([]);
    expect(server.asked).toEqual(["/v1.52/version", "/version", "/v1.44/containers/json"]);
  });

  test.each([
    ["nothing", new Headers()],
    ["a path", new Headers({ "api-version": "1.41/../../x" })],
  ])(
    "a /_ping answer with %s as its version does not come from an engine",
    async (_what, headers) => {
      using server = answering((path) =>
        path === "/_ping" ? new Response("OK", { headers }) : new Response("no", { status: 404 }),
      );
      const { message } = await failureOf(engineAt(server.host));
      expect(message).toContain("does not come from a Docker engine");
    },
  );
});
