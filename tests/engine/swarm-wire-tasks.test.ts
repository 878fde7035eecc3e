import { describe, expect, test } from "bun:test";
import type { SwarmTask } from "../../src/engine/swarm.ts";
import { parseServices, parseTasks } from "../../src/engine/swarm-wire.ts";
import { type Json, recordedReply, task } from "../support/engine/swarm-replies.ts";

const INF = { id: "6tb0bigq24pxgq82d0likrgfc", name: "inf", isIngress: false };

describe("parseTasks()", () => {
  test("reads a task of Docker 20 and one of Docker 26", () => {
    expect(parseTasks(recordedReply("20.10.24-task-full"))).toEqual([
      {
        id: "oh3rt9goqqkf77tfs74d207sm",
        serviceId: "vrhssps68wvcpkhe9oj3gzijs",
        slot: 1,
        nodeId: "pn9xjd9bg20zrpcx8ieivt53l",
        createdAtMs: 1_795_751_813_837,
        state: "starting",
        desiredState: "running",
        stateSinceMs: 1_795_751_815_151,
        error: "",
        message: "starting",
        containerId: "a446d591664b5d32ab5cb492b9eaebd45eadefd4c031e7b34778dccd3bfae5ab",
        exitCode: 0,
        networks: [
          {
            id: "xnhs25ytjfp01dxedbj5jpr9d",
            name: "ai_inference",
            isIngress: false,
            addresses: ["10.215.3.3"],
          },
        ],
        hostPorts: [],
      },
    ]);
    expect(parseTasks(recordedReply("26.1.5-task-full"))).toMatchObject([
      {
        serviceId: "kxufqp4x51hwqy1mzoy5eamx9",
        state: "running",
        networks: [{ id: "kzbr46pe1nzu3xwtxjk1s1b2l", name: "inf", addresses: ["10.215.1.5"] }],
      },
    ]);
  });

  test("reads the addresses and ports of each kind of task", () => {
    const names = new Map(
      parseServices(recordedReply("20.10.24-services-shapes")).map(({ id, name }) => [id, name]),
    );
    const where = ({ networks, hostPorts }: SwarmTask): unknown => [networks, hostPorts];
    const of = Object.fromEntries(
      parseTasks(recordedReply("20.10.24-tasks-shapes")).map((one) => [
        names.get(one.serviceId),
        where(one),
      ]),
    );
    const port = (publishedPort: number): unknown => ({
      protocol: "tcp",
      targetPort: 8_000,
      publishedPort,
    });
    expect(of).toEqual({
      vip: [[{ ...INF, addresses: ["10.215.1.19"] }], []],
      pubhostrnd: [[{ ...INF, addresses: ["10.215.1.15"] }], [port(32_768), port(32_768)]],
      glob: [[{ ...INF, addresses: ["10.215.1.17"] }], []],
      pubing: [
        [
          {
            id: "pycrviezuh0uneq63x3mlrbms",
            name: "ingress",
            isIngress: true,
            addresses: ["10.215.0.6"],
          },
          { ...INF, addresses: ["10.215.1.13"] },
        ],
        [],
      ],
      nonet: [[], []],
      two: [
        [
          { ...INF, addresses: ["10.215.1.16"] },
          {
            id: "sulhqgnpm9uerg87gerys3dx1",
            name: "inf2",
            isIngress: false,
            addresses: ["10.215.2.2"],
          },
        ],
        [],
      ],
      pubhost: [[{ ...INF, addresses: ["10.215.1.14"] }], [port(8_101), port(8_101)]],
      hostnet: [
        [{ id: "xg68j9ytuk0rktzvz7e3jo6gr", name: "host", isIngress: false, addresses: [] }],
        [],
      ],
      six: [
        [
          {
            id: "6kcq2ft4zltafhjo0pwek8yx5",
            name: "v6net",
            isIngress: false,
            addresses: ["fd00:dead::7"],
          },
        ],
        [],
      ],
      job: [[{ ...INF, addresses: ["10.215.1.21"] }], []],
    });
  });

  test("a global task has no slot; a rejected task has an error and no container", () => {
    const tasks = parseTasks(recordedReply("20.10.24-tasks-shapes"));
    expect(tasks.find(({ serviceId }) => serviceId.startsWith("ayarv7"))).toMatchObject({
      slot: 0,
      state: "running",
    });
    expect(tasks.find(({ id }) => id.startsWith("19unm9"))).toMatchObject({
      state: "rejected",
      desiredState: "shutdown",
      containerId: "",
      error: "Invalid address fd00:dead::3: It does not belong to any of this network's subnets",
    });
    expect(tasks.find(({ id }) => id.startsWith("oflhiu"))).toMatchObject({
      state: "complete",
      desiredState: "complete",
    });
  });

  test("an attachment has its container's id and no service", () => {
    expect(parseTasks(recordedReply("20.10.24-tasks-runtime-attachment"))).toMatchObject([
      {
        serviceId: "",
        containerId: "ea8208c00eb8b3d9453d16c5f343f14326cea337ca139f8d5fcec6edea4f1abe",
        networks: [{ ...INF, addresses: ["10.215.1.4"] }],
      },
    ]);
  });

  test("reads a new task, which has no node and no container yet", () => {
    expect(parseTasks([task()])).toEqual([
      {
        id: "t",
        serviceId: "",
        slot: 0,
        nodeId: "",
        createdAtMs: 1_000,
        state: "pending",
        desiredState: "running",
        stateSinceMs: Number.NaN,
        error: "",
        message: "",
        containerId: "",
        exitCode: undefined,
        networks: [],
        hostPorts: [],
      },
    ]);
  });

  test("an invalid creation time always gives the same number, so the run stays the same", () => {
    expect(parseTasks([task({ CreatedAt: "soon" })])[0]!.createdAtMs).toBe(0);
  });

  test("leaves out invalid addresses and ports", () => {
    const Addresses = ["evil/../x", "10.0.0.300/24", "", "10.0.1.5/24", "fd00::5/64", "::1]@x/8"];
    const odd = task(
      { NetworksAttachments: [{ Network: { ID: "n" }, Addresses }] },
      { PortStatus: { Ports: [0, -1, 1.5, 65_536, 80].map(hostPort) } },
    );
    expect(parseTasks([odd])).toMatchObject([
      {
        networks: [{ id: "n", name: "", isIngress: false, addresses: ["10.0.1.5", "fd00::5"] }],
        hostPorts: [{ protocol: "udp", targetPort: 80, publishedPort: 80 }],
      },
    ]);
  });

  test("accepts malformed fields that only people read", () => {
    const odd = task(
      {},
      { Timestamp: 5, Err: {}, Message: [], ContainerStatus: { ContainerID: "c", ExitCode: "1" } },
    );
    expect(parseTasks([odd])).toMatchObject([
      { id: "t", error: "", message: "", containerId: "c", stateSinceMs: Number.NaN },
    ]);
  });

  test.each<[what: string, reply: unknown]>([
    ["an object", {}],
    ["null", null],
    ["a text", "[]"],
    ["an invalid entry", [task(), null]],
    ["no id", [task(), task({ ID: undefined })]],
    ["no state", [task(), task({}, { State: undefined })]],
    ["no desired state", [task({ DesiredState: undefined })]],
    ["a slot that is not a number", [task({ Slot: "1" })]],
    ["a service id that is not a text", [task({ ServiceID: 1 })]],
    ["a network without an id", [task({ NetworksAttachments: [{ Network: {} }] })]],
    ["networks that are not a list", [task({ NetworksAttachments: { a: 1 } })]],
    ["addresses that are not texts", [task({ NetworksAttachments: [network([5])] })]],
  ])("%s: throws, because a task that was left out would look ended", (_, reply) => {
    expect(() => parseTasks(reply)).toThrow();
  });

  test("reads an answer a thousand times larger than usual, with memory in proportion to its bytes", () => {
    const tasks = Array.from({ length: 5_000 }, (_, n) => task({ ID: `t${n}` }));
    const long = task({ ID: "x".repeat(1_000_000) }, { Err: "e".repeat(1_000_000) });
    const deep = task({ Spec: { a: JSON.parse("[".repeat(500) + "]".repeat(500)) } });
    const parsed = parseTasks([...tasks, long, deep]);
    expect(parsed).toHaveLength(5_002);
    expect(parsed[5_000]!.error).toHaveLength(1_000_000);
  });

  test("treats labels and ids named like object members as plain texts", () => {
    const hostile = JSON.parse(
      '{"ID":"__proto__","Spec":{"Name":"constructor","Labels":{"__proto__":"x","toString":"y"}}}',
    ) as unknown;
    const [parsed] = parseServices([hostile]);
    expect(parsed).toMatchObject({ id: "__proto__", name: "constructor" });
    expect(parsed!.labels["toString"]).toBe("y");
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});

function network(addresses: readonly unknown[]): Json {
  return { Network: { ID: "n" }, Addresses: addresses };
}

function hostPort(port: number): Json {
  return { Protocol: "udp", TargetPort: port, PublishedPort: port, PublishMode: "host" };
}
