/** Hostile or unusual model lists: what the status and the log say about them, and how much. */
import { describe, expect, test } from "bun:test";
import { brotliCompressSync, constants } from "node:zlib";
import { readModels } from "../../src/fleet/models.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import {
  kindOf,
  modelList,
  startDiscovery,
  startModelServer,
  untilKind,
} from "../support/proxy/discovery.ts";
import { listed } from "../support/server/backends.ts";
import { until } from "../support/until.ts";

const SOON = { rereadMs: 20 };

/** 10,000 models with long names, different at each call. */
function changingList(): () => Response {
  let call = 0;
  return () => {
    call += 1;
    const data = Array.from(
      { length: 10_000 },
      (_, n) => `{"id":"${call}-${n}-${"x".repeat(300)}"}`,
    );
    return new Response(`{"data":[${data}]}`);
  };
}

describe("Fleet, with hostile or unusual model lists", () => {
  test("a list of long names that changes at every read causes short log lines", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    models.answer = changingList();
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await until(
      "it has changed three times",
      () => discovery.log.count("models changed") >= 3,
      4_500,
    );
    for (const line of discovery.log.lines) expect(JSON.stringify(line).length).toBeLessThan(3_000);
    expect(discovery.log.lines.find(({ message }) => message === "container routed")).toMatchObject(
      {
        model_count: 10_000,
      },
    );
    const changed = discovery.log.lines.find(({ message }) => message === "models changed");
    expect(changed).toMatchObject({
      model_count: 10_000,
      added_count: 10_000,
      removed_count: 10_000,
    });
    expect(changed?.["added"]).toHaveLength(10);
  });

  test("another order of the models is no change", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    let reads = 0;
    models.answer = () => {
      reads += 1;
      const ids = reads % 2 === 0 ? ["a", "b", "c"] : ["c", "a", "b"];
      return Response.json({ data: ids.map((id) => ({ id })) });
    };
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await until("it was read five times", () => models.reads() >= 5);
    expect(discovery.log.count("models changed")).toBe(0);
  });

  test("the status, and the log once, say what was left out of a list; the other models are routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    const deep = `{"id":"deep","x":${"[".repeat(41_000)}${"]".repeat(41_000)}}`;
    models.answer = () => new Response(`{"data":[{"id":"m"},${deep}]}`);
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    await until("it was read again", () => models.reads() >= 4);
    const reason =
      'healthy; the proxy left out 1 entry of its model list: model "deep" is nested more than 100 levels deep';
    expect(discovery.containers()).toMatchObject([{ state: "routed", reason }]);
    const warnings = discovery.log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toMatchObject([{ message: "container routed", reason }]);
    expect(kindOf(discovery, "deep")).toBe("unknown");
    models.answer = () => new Response('{"data":[{"id":"m"}]}');
    await until("it is mended", () => discovery.containers()[0]?.reason === "healthy");
  });

  test("an Ollama whose last model is removed has no models: the status says so, and none is expected back", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    models.answer = () => new Response('{"object":"list","data":null}');
    await until("its models are gone", () => discovery.table.models.length === 0);
    expect(discovery.table.find("m")).toEqual({ kind: "unknown" });
    const reason = "healthy, but its model list is empty: it has no models yet";
    expect(discovery.containers()).toMatchObject([{ state: "routed", reason, models: [] }]);
    expect(discovery.log.lines.filter(({ level }) => level === "warn")).toEqual([]);
    fake.setHealth(container, "unhealthy");
    await until("it drains", () => discovery.containers()[0]?.state === "unhealthy");
    expect(discovery.table.find("m")).toEqual({ kind: "unknown" });
    fake.setHealth(container, "healthy");
    models.answer = () => modelList("m");
    await untilKind(discovery, "live");
  });

  test("an entry without an id is left out; a list without any id is an error, and the old models stay", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    models.answer = () => Response.json([{ id: "m" }, { name: "x" }]);
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    const [reason] = discovery.containers().map((container) => container.reason);
    expect(reason).toBe(
      "healthy; the proxy left out 1 entry of its model list: model number 2 has no id",
    );
    models.answer = () => Response.json([{ name: "x" }]);
    await until("it is no list", () => discovery.log.count("no list") === 1);
    expect(kindOf(discovery)).toBe("live");
  });

  test("a server whose list is at another path is routed", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    models.info = () => modelList("m"); // it stands for another path
    models.answer = () => new Response(null, { status: 307, headers: { location: "/info" } });
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
  });

  test("a router's models that move in and out of memory are no change, and the last entry is shown", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    let reads = 0;
    models.answer = () => {
      reads += 1;
      const [value, created] = [reads % 2 === 0 ? "loaded" : "unloaded", 1_700_000_000 + reads];
      return Response.json({ data: [{ id: "m", created, status: { value } }] });
    };
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake, SOON);
    await untilKind(discovery, "live");
    const [updates, lines] = [discovery.table.updates.length, discovery.log.lines.length];
    for (const value of ["loaded", "unloaded", "loaded"]) {
      const shows = (): boolean => discovery.table.models[0]?.json.includes(`"${value}"`) === true;
      await until(`it is shown as ${value}`, shows);
    }
    const newest = listed(discovery.table.models)[0] as { readonly created: number };
    expect(newest.created).toBeGreaterThanOrEqual(1_700_000_004);
    expect(discovery.table.updates.slice(updates)).toEqual([]);
    expect(discovery.log.lines.slice(lines)).toEqual([]);
  });

  test("a list that would inflate to 256 MiB is refused, and the reason says what to do", async () => {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 1 };
    const bomb = brotliCompressSync(new Uint8Array(256 * 1024 * 1024), { params });
    using fake = await new FakeEngine().start();
    using models = startModelServer();
    models.answer = () => new Response(bomb, { headers: { "content-encoding": "br" } });
    fake.add({ port: models.port });
    using discovery = startDiscovery(fake);
    const before = process.cpuUsage();
    await until("it has failed twice", () => models.reads() >= 2);
    await until("it is logged", () => discovery.log.count("container reading_models") > 0);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(1_500); // inflating it took seconds
    expect(discovery.containers()).toMatchObject([
      { state: "reading_models", reason: expect.stringContaining("Accept-Encoding is identity") },
    ]);
  });

  test("a bug of ours in a read is logged once as an error with its stack, and the read is tried again", async () => {
    using fake = await new FakeEngine().start();
    using models = startModelServer("m");
    const container = fake.add({ port: models.port });
    let reads = 0;
    using discovery = startDiscovery(fake, {
      readModels: async (...asked) => {
        reads += 1;
        if (reads <= 2) throw new TypeError("undefined is not an object");
        return readModels(...asked);
      },
    });
    await untilKind(discovery, "live");
    const errors = discovery.log.lines.filter(({ level }) => level === "error");
    expect(errors).toMatchObject([
      {
        message: "internal error",
        container: container.name,
        stack: expect.stringContaining("fleet-lists.test.ts"),
      },
    ]);
  });
});
