import { describe, expect, test } from "bun:test";
import { Engine, type EventsInit } from "../../src/engine/engine.ts";
import { EngineError } from "../../src/engine/error.ts";
import { isLabelled } from "../../src/sources/labels.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { readFixtureText } from "../support/engine/replies.ts";
import { expectNever, until, within } from "../support/until.ts";

function engineOf(fake: FakeEngine, timeoutMs = 500): Engine {
  return new Engine({ kind: "unix", path: fake.socketPath }, timeoutMs);
}

function from(since: EventsInit["since"]): EventsInit {
  return { since, signal: new AbortController().signal };
}

async function failure(call: Promise<unknown>): Promise<EngineError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`not an EngineError: ${String(error)}`);
  return error;
}

describe("Engine", () => {
  test.each([
    ["20.10", "/v1.41/"],
    ["26", "/v1.45/"],
    ["29.0", "/v1.52/"],
    ["29.3", "/v1.52/"],
  ] as const)("speaks a version that Docker %s takes", async (release, prefix) => {
    using fake = (await new FakeEngine().start()).become(release);
    const container = fake.add();
    const engine = engineOf(fake);
    expect(engine.apiVersion).toBeUndefined();
    expect(await engine.list(isLabelled)).toEqual([container.id]);
    expect(fake.requests.at(-1)).toStartWith(prefix);
    expect(`/v${engine.apiVersion}/`).toBe(prefix);
    const shown = { id: container.id, health: "healthy", networks: [{ ipv4: "127.0.0.1" }] };
    expect(await engine.inspect(container.id)).toMatchObject(shown);
    const events = await engine.openEvents(from(() => 0));
    fake.kill(container, 9);
    expect((await within("the event", events.next())).value).toMatchObject({
      kind: "kill",
      containerId: container.id,
      signal: 9,
    });
    const beside = fake.requests.filter((path) => path !== "/v1.52/version");
    expect(beside.every((path) => path.startsWith(prefix))).toBe(true);
    expect(fake.requests).toHaveLength(beside.length + 2);
  });

  test.each([
    ["older", "26", "20.10", "1.41"],
    ["newer", "20.10", "29.0", "1.52"],
  ] as const)(
    "the first call after an %s engine has replaced the old one asks for the version again",
    async (_what, before, after, version) => {
      using fake = (await new FakeEngine().start()).become(before);
      const container = fake.add();
      const engine = engineOf(fake);
      await engine.list(isLabelled);
      fake.become(after);
      const ids = await Promise.all([engine.list(isLabelled), engine.list(isLabelled)]);
      expect(ids).toEqual([[container.id], [container.id]]);
      expect(engine.apiVersion).toBe(version);
      fake.become(before);
      await engine.openEvents(from(() => 0));
      const asked = fake.requests.length;
      await engine.inspect(container.id);
      expect(fake.requests.length).toBe(asked + 1);
    },
  );

  test.each([
    ["JSON", '{"message":"client version 1.41 is too old"}', "application/json"],
    ["plain text", "client version 1.41 is too old", "text/plain"],
  ])(
    "asks only once more for the version of an engine that refuses its own version in %s",
    async (_what, body, contentType) => {
      using fake = await new FakeEngine().start();
      fake.intercept = (path) =>
        path.includes("/v1.") ? { status: 400, body, contentType } : undefined;
      expect((await failure(engineOf(fake).list(isLabelled))).message).toBe(
        "The engine answered 400 to GET /containers/json: client version 1.41 is too old",
      );
      expect(fake.requests).toEqual([
        "/v1.52/version",
        "/v1.41/containers/json?all=1",
        "/v1.52/version",
      ]);
    },
  );

  test("list() returns all containers with a label of ours, running or not", async () => {
    using fake = await new FakeEngine().start();
    const ids = [
      fake.add(),
      fake.add({ status: "exited" }),
      fake.add({ status: "created", labels: { "inference.port": "1" } }),
      fake.add({ labels: { "inference.enabled": "yes" } }),
    ].map(({ id }) => id);
    fake.add({ labels: {} });
    fake.add({ labels: { "com.example": "inference.enable" } });
    expect(await engineOf(fake).list(isLabelled)).toEqual(ids);
  });

  test.each([
    ["docker-20.10.24-list.json", 1],
    ["podman-4.3.1-list.json", 1],
  ])("list() reads %s, including an item without labels", async (name, count) => {
    using fake = await new FakeEngine().start();
    const items: { Id: string; Labels: unknown }[] = JSON.parse(readFixtureText(name));
    const expected = items.map(({ Id }) => Id);
    expect(expected).toHaveLength(count);
    const body = JSON.stringify([...items, { Id: "x", Labels: null }, { Id: "y" }]);
    fake.intercept = (path) => (path.includes("/containers/") ? { status: 200, body } : undefined);
    expect(await engineOf(fake).list(isLabelled)).toEqual(expected);
  });

  test("inspect() reads a container, and returns undefined for a missing one", async () => {
    using fake = await new FakeEngine().start();
    const { id, name } = fake.add();
    expect(await engineOf(fake).inspect(id)).toMatchObject({ id, name, health: "healthy" });
    expect(await engineOf(fake).inspect("nope")).toBeUndefined();
  });

  test.each([
    [
      418,
      "<html><body><h1>418 Forbidden</h1>Request forbidden by administrative rules.</body></html>",
      "Request forbidden by administrative rules.",
    ],
    [500, '{"message":"something broke"}', "something broke"],
    [500, "", "(no message)"],
  ])(
    "a %p with body %p is an error that names the request and the answer",
    async (status, body, text) => {
      using fake = await new FakeEngine().start();
      fake.intercept = (path) => (path.includes("/containers/") ? { status, body } : undefined);
      const error = await failure(engineOf(fake).list(isLabelled));
      expect(error.kind).toBe("refused");
      expect(error.message).toContain(`${status} to GET /containers/json`);
      expect(error.message).toContain(text);
    },
  );

  test.each([
    ["docker-26.1.5-api1.24-healthy.json", "172.31.0.2"],
    ["docker-26.1.5-api1.41-healthy.json", "172.31.0.2"],
    ["docker-26.1.5-api1.44-healthy.json", "172.31.0.2"],
    ["docker-26.1.5-api1.45-healthy.json", "172.31.0.2"],
    ["podman-4.3.1-running-healthy.json", "10.88.0.12"],
  ])("inspect() reads the answer recorded in %s", async (name, ipv4) => {
    using fake = await new FakeEngine().start();
    const body = readFixtureText(name);
    fake.intercept = (path) => (path.includes("/containers/") ? { status: 200, body } : undefined);
    expect(await engineOf(fake).inspect("x")).toMatchObject({
      status: "running",
      health: "healthy",
      stopSignal: 15,
      networks: [{ ipv4 }],
      labels: { "inference.enable": "true" },
    });
  });

  test("gives up each call after the timeout, except the stream, which may be silent", async () => {
    using fake = await new FakeEngine().start();
    const engine = engineOf(fake, 50);
    const events = await engine.openEvents(from((nowMs) => nowMs));
    const next = events.next();
    const never = Promise.withResolvers<undefined>();
    fake.intercept = () => never.promise;
    expect((await failure(engine.list(isLabelled))).message).toContain("no answer in time");
    const opening = engineOf(fake, 50).openEvents(from(() => 0));
    expect((await failure(opening)).message).toContain("no answer in time");
    never.resolve(undefined);
    fake.intercept = () => undefined;
    const isOver = (): boolean => Bun.peek.status(next) !== "pending";
    await expectNever("the silent stream is given up", isOver, 100); // twice what a call may take
    fake.emit(fake.add(), "start");
    expect((await within("the event", next)).value).toMatchObject({ kind: "changed" });
  });

  test("openEvents() replays the events since the given time, and ends when aborted", async () => {
    using fake = await new FakeEngine().start();
    const container = fake.add();
    fake.emit(container, "start", {}, Date.now() - 10_000);
    fake.kill(container);
    const stopping = new AbortController();
    const events = await engineOf(fake).openEvents({
      since: (nowMs) => nowMs - 5_000,
      signal: stopping.signal,
    });
    expect((await events.next()).value).toMatchObject({ kind: "kill", signal: 15 });
    const end = events.next().then(
      () => "ended",
      () => "ended",
    );
    stopping.abort();
    expect(await within("the end", end)).toBe("ended");
    await until("the engine has noticed", () => fake.streamCount === 0);
  });

  test.each([
    ["/containers/json", "[{}]"],
    ["/containers/x/json", "{}"],
  ])("an answer to %s that is not an engine's gives an error of one line", async (path, body) => {
    using fake = await new FakeEngine().start();
    fake.intercept = (asked) => (asked.includes(path) ? { status: 200, body } : undefined);
    const engine = engineOf(fake);
    const { message } = await failure(
      path.includes("/x/") ? engine.inspect("x") : engine.list(isLabelled),
    );
    expect(message).toBe(
      `The answer to GET ${path} from unix://${fake.socketPath} does not come from a Docker engine; check DOCKER_HOST`,
    );
  });

  test("openEvents() filters by type and name, and asks for network events, which have no labels", async () => {
    using fake = await new FakeEngine().start();
    await engineOf(fake).openEvents(from(() => 1_500));
    const query = new URLSearchParams(fake.requests.at(-1)!.split("?")[1]);
    expect(query.get("since")).toBe("1.500000000");
    expect(JSON.parse(query.get("filters")!)).toMatchObject({
      type: ["container", "network", "service", "node"],
      event: expect.arrayContaining(["kill", "die", "disconnect", "update", "remove"]),
    });
  });

  test("ignores HTTP_PROXY", async () => {
    using proxy = Bun.serve({ port: 0, fetch: () => new Response("proxy", { status: 599 }) });
    using tcp = Bun.serve({ port: 0, fetch: () => Response.json({ ApiVersion: "1.41" }) });
    process.env["HTTP_PROXY"] = process.env["http_proxy"] = `http://127.0.0.1:${proxy.port}`;
    try {
      const engine = new Engine({ kind: "tcp", host: "127.0.0.1", port: tcp.port ?? 0 });
      const error = await engine.list(isLabelled).then(() => undefined, String);
      expect(error).not.toMatch(/\b599\b/); // whole: a port may have these digits;
    } finally {
      delete process.env["HTTP_PROXY"];
      delete process.env["http_proxy"];
    }
  });
});
