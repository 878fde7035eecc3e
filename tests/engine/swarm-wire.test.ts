import { describe, expect, test } from "bun:test";
import { Engine } from "../../src/engine/engine.ts";
import { parseNodes, parseServices } from "../../src/engine/swarm-wire.ts";
import { recordedReply, service } from "../support/engine/swarm-replies.ts";

describe("parseServices()", () => {
  test("reads the labels of a stack's service and of its containers", () => {
    expect(parseServices(recordedReply("20.10.24-services-of-a-stack"))).toEqual([
      {
        id: "vrhssps68wvcpkhe9oj3gzijs",
        name: "ai_llm",
        labels: {
          "com.docker.stack.image": "inference-mock:1",
          "com.docker.stack.namespace": "ai",
          "inference.enable": "true",
        },
        containerLabels: {
          "com.docker.stack.namespace": "ai",
          "inference.port": "8000",
          "only.container": "1",
        },
        healthcheck: "given",
        stopTimeoutMs: 75_000,
        hostPorts: [],
        replicas: 2,
        isJob: false,
        update: undefined,
      },
      {
        id: "zhauhmk4v1bxyydmvnbv28u1s",
        name: "ai_proxy",
        labels: {
          "com.docker.stack.image": "inference-mock:1",
          "com.docker.stack.namespace": "ai",
        },
        containerLabels: { "com.docker.stack.namespace": "ai" },
        healthcheck: "not given",
        stopTimeoutMs: 10_000,
        hostPorts: [],
        replicas: 1,
        isJob: false,
        update: undefined,
      },
    ]);
  });

  test("reads ports published on the nodes, including unchosen numbers, and no ports of the mesh", () => {
    const services = parseServices(recordedReply("20.10.24-services-shapes"));
    expect(
      services.flatMap(({ name, hostPorts }) => hostPorts.map((port) => [name, port])),
    ).toEqual([
      ["pubhost", { protocol: "tcp", targetPort: 8000, publishedPort: 8101 }],
      ["pubhostrnd", { protocol: "tcp", targetPort: 8000, publishedPort: 0 }],
    ]);
  });

  test("reads each kind of service: global ones have no replica number, and jobs are marked", () => {
    const services = parseServices(recordedReply("20.10.24-services-shapes"));
    expect(services.map(({ name, replicas, isJob }) => [name, replicas, isJob])).toEqual([
      ["glob", undefined, false],
      ["hostnet", 1, false],
      ["job", undefined, true],
      ["nonet", 1, false],
      ["pubhost", 1, false],
      ["pubhostrnd", 1, false],
      ["pubing", 1, false],
      ["six", 1, false],
      ["two", 1, false],
      ["vip", 1, false],
    ]);
  });

  test("a global job is a job", () => {
    const Spec = { Name: "j", Mode: { GlobalJob: {} } };
    expect(parseServices([{ ID: "s", Spec }])).toMatchObject([
      { replicas: undefined, isJob: true },
    ]);
  });

  test("reads the same from Docker 26", () => {
    expect(parseServices(recordedReply("26.1.5-service-full"))).toMatchObject([
      { name: "e", replicas: 2, healthcheck: "given", stopTimeoutMs: 20_000, isJob: false },
    ]);
    expect(parseServices(recordedReply("20.10.24-service-full"))).toMatchObject([
      { name: "ai_llm", labels: { "inference.enable": "true" } },
    ]);
  });

  test("reads the state, the message and the start of an update", () => {
    const UpdateStatus = {
      State: "updating",
      Message: "update in progress",
      StartedAt: "2026-11-27T04:00:00.5Z",
    };
    const startedAtMs = Date.parse("2026-11-27T04:00:00.5Z");
    const update = { state: "updating", message: "update in progress", startedAtMs };
    expect(parseServices([service({}, { UpdateStatus })])[0]!.update).toEqual(update);
    const noTime = parseServices([service({}, { UpdateStatus: { State: "paused" } })]);
    expect(noTime[0]!.update).toEqual({ state: "paused", message: "", startedAtMs: Number.NaN });
  });

  test.each<[what: string, healthcheck: unknown, is: string]>([
    ["none in the spec", undefined, "not given"],
    ["only an interval: the image's test applies", { Interval: 1e9 }, "not given"],
    ["an empty test: the image's test applies", { Test: [] }, "not given"],
    ["an empty word: the image's test applies", { Test: [""] }, "not given"],
    ["NONE: turned off", { Test: ["NONE"] }, "none"],
    ["a command", { Test: ["CMD", "true"] }, "given"],
  ])("health check: %s", (_what, Healthcheck, is) => {
    const TaskTemplate = { ContainerSpec: { Healthcheck } };
    expect(parseServices([service({ TaskTemplate })])[0]!.healthcheck).toBe(is as "given");
  });

  test("reads a service without containers, such as a plugin's, and one with only a name", () => {
    const plugin = service({ TaskTemplate: { PluginSpec: {}, Runtime: "plugin" } });
    const bare = service({ Labels: null, TaskTemplate: null, Mode: null });
    for (const one of parseServices([plugin, bare])) {
      expect(one).toMatchObject({ name: "s", labels: {}, containerLabels: {}, isJob: false });
      expect(one).toMatchObject({ healthcheck: "not given", stopTimeoutMs: 10_000 });
    }
  });

  test("accepts malformed fields that only people read", () => {
    const odd = service(
      { Mode: { Replicated: { Replicas: "three" } }, TaskTemplate: ODD_TEMPLATE },
      { UpdateStatus: "soon" },
    );
    expect(parseServices([odd])).toMatchObject([
      { name: "s", replicas: 1, stopTimeoutMs: 10_000, update: undefined },
    ]);
  });

  test.each<[what: string, reply: unknown]>([
    ["an object", {}],
    ["null", null],
    ["a message", { message: "no" }],
    ["an invalid entry", [service(), 1]],
    ["no id", [service(), { Spec: { Name: "s" } }]],
    ["no name", [service({ Name: undefined })]],
    ["labels that are not texts", [service(), service({ Labels: { "inference.enable": true } })]],
    ["labels as a list", [service({ Labels: ["inference.enable=true"] })]],
  ])("%s: throws, because a service that was left out would look removed", (_, reply) => {
    expect(() => parseServices(reply)).toThrow();
  });
});

describe("parseNodes()", () => {
  test("reads a recorded manager", () => {
    expect(parseNodes(recordedReply("20.10.24-node-full"))).toEqual([
      {
        id: "nkwuhwoj291xjtb7bmruhtexs",
        hostname: "m1",
        state: "ready",
        address: "10.213.0.11",
      },
    ]);
  });

  test.each<[what: string, status: unknown, manager: unknown, address: string]>([
    ["the node's own address", { Addr: "10.0.0.5" }, undefined, "10.0.0.5"],
    ["the address as a manager", { Addr: "0.0.0.0" }, { Addr: "10.0.0.6:2377" }, "10.0.0.6"],
    ["the address as a manager, IPv6", { Addr: "::" }, { Addr: "[fd00::6]:2377" }, "fd00::6"],
    ["no address", {}, null, ""],
    ["no status", null, {}, ""],
  ])("the address of a node: %s", (_, Status, ManagerStatus, address) => {
    expect(parseNodes([{ ID: "n", Status, ManagerStatus }])).toEqual([
      { id: "n", hostname: "", state: "", address },
    ]);
  });

  test("accepts malformed fields that only people read, and throws for others", () => {
    const odd = { ID: "n", Description: 1, Status: { State: 1, Addr: "10.0.0.5" } };
    expect(parseNodes([odd])).toMatchObject([{ id: "n", hostname: "", state: "" }]);
    expect(() => parseNodes([{ ID: 1 }])).toThrow();
    expect(() => parseNodes([{ ID: "n", Status: { Addr: 1 } }])).toThrow();
  });
});

describe("Engine asks a manager for", () => {
  test.each<[path: string, call: (engine: Engine) => Promise<readonly unknown[]>]>([
    ["/v1.41/services", (engine) => engine.services()],
    ["/v1.41/tasks", (engine) => engine.tasks()],
    ["/v1.41/nodes", (engine) => engine.nodes()],
    ['/v1.41/tasks?filters={"runtime":["attachment"]}', (engine) => engine.attachments()],
  ])("%s, and refuses an answer that is not a list", async (path, call) => {
    const asked: string[] = [];
    const replies = ["[]", '{"a":1}', "[1]", "[", ""];
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) => {
        const { pathname, search } = new URL(url);
        if (pathname.endsWith("/version")) return Response.json({ ApiVersion: "1.41", Id: "x" });
        asked.push(pathname + decodeURIComponent(search));
        return new Response(replies.shift());
      },
    });
    const engine = new Engine({ kind: "tcp", host: "127.0.0.1", port: server.port ?? 0 });
    expect(await call(engine)).toEqual([]);
    for (const _ of ["an object", "no entry", "broken off", "nothing"]) {
      const failure = await call(engine).catch((error: unknown) => error);
      expect(failure).toMatchObject({ name: "EngineError", kind: "refused" });
    }
    expect(asked[0]).toBe(path);
  });
});

const ODD_TEMPLATE = { ContainerSpec: { StopGracePeriod: "10s" } };
