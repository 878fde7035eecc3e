/** How `status` shows a swarm. */
import { describe, expect, test } from "bun:test";
import { isAllRouted, parseStatus, renderStatus, type StatusReply } from "../../src/cli/table.ts";
import type { ServiceStatus } from "../../src/status.ts";
import { containerStatus, STARTED_MS, statusReply } from "../support/proxy/status-reply.ts";
import { service, swarm, task } from "../support/proxy/swarm-status.ts";

const ROOM = "no suitable node (insufficient resources on 3 nodes)";

function parsed(more: object): StatusReply {
  return parseStatus(JSON.stringify(statusReply(more)))!;
}

function lines(more: object): readonly string[] {
  return renderStatus(parsed(more), STARTED_MS + 61_000)
    .trimEnd()
    .split("\n");
}

/** The lines of the table of services. */
function table(services: readonly ServiceStatus[], left_out = {}): readonly string[] {
  return lines({ swarm: swarm(services), left_out: { ...parsed({}).left_out, ...left_out } }).slice(
    5,
  );
}

const MISSING = task({ name: "ai_llm.3", node: null, state: "pending", reason: ROOM });
const TASKS = [task({ name: "ai_llm.1" }), task({ name: "ai_llm.2", node: "gpu-2" }), MISSING];

describe("the services of a swarm", () => {
  test("have their own table; the table of containers shows the nodes of tasks", () => {
    const containers = TASKS.slice(0, 2).map(({ id, name }) => containerStatus({ id, name }));
    const reason = `1 of 3 tasks is pending: ${ROOM}; free a GPU, or want fewer`;
    const update = "updating 2 of 3";
    const services = [
      service({ name: "ai_embed", tasks: [task({ name: "ai_embed.1" })] }),
      service({ name: "ai_llm", tasks: TASKS, routed: 2, update, reason }),
    ];
    const models = [{ id: "m", servers: [{ container: "ai_llm.1", gets: "all" }] }];
    const plain = containerStatus({ id: "plain", name: "vllm" });
    expect(lines({ containers: [...containers, plain], models, swarm: swarm(services) })).toEqual([
      "lw-inference-proxy 1.2.3, up 3 h 4 min, ready, 3 in flight",
      "Docker engine at unix:///var/run/docker.sock: connected for 1 min 1 s, API 1.41",
      "",
      "CONTAINER  STATE   FOR        NODE   IN FLIGHT  ADDRESS          MODELS OR REASON",
      "ai_llm.1   routed  1 min 1 s  gpu-1  3          172.18.0.3:8000  org/a, b",
      "ai_llm.2   routed  1 min 1 s  gpu-2  3          172.18.0.3:8000  org/a, b",
      "vllm       routed  1 min 1 s  –      3          172.18.0.3:8000  org/a, b",
      "",
      "SERVICE   TASKS  UPDATE           REASON",
      "ai_embed  1/1    –                –",
      `ai_llm    2/3    updating 2 of 3  ${reason}`,
      "",
      "MODEL  IN FLIGHT  LAST 5 MIN  SERVERS",
      "m      0          0           ai_llm.1",
    ]);
  });

  test("have a line for each missing task if the service line does not show the reason", () => {
    expect(table([service({ name: "ai_llm", tasks: TASKS, routed: 2 })])).toEqual([
      "SERVICE     TASKS  REASON",
      "ai_llm      2/3    –",
      `  ai_llm.3         pending: ${ROOM}`,
    ]);
  });

  test("the line of a missing task shows its node", () => {
    const tasks = [
      task({ name: "a.1", node: "gpu-2", state: "preparing", reason: "pulls its image" }),
    ];
    expect(table([service({ name: "a", tasks, routed: 0 })]).at(-1)).toEndWith(
      "  preparing on gpu-2: pulls its image",
    );
  });

  test("have at most five such lines per service and count the others", () => {
    const tasks = Array.from({ length: 12 }, (_, n) => ({ ...MISSING, name: `a.${n + 1}` }));
    const services = [service({ name: "a", tasks, routed: 0 }), service({ name: "b" })];
    const first = table(services).map((line) => line.trim().split("  ")[0]);
    expect(first).toEqual([
      "SERVICE",
      "a",
      "a.1",
      "a.2",
      "a.3",
      "a.4",
      "a.5",
      "and 7 more tasks",
      "b",
    ]);
  });

  test.each<[what: string, details: boolean, tasks: string]>([
    ["the tasks that run or should run", false, "1/2"],
    ["unknown if tasks are left out", true, "1/–"],
  ])("the task count of a service with one task on each node is %s", (_what, details, tasks) => {
    const all = [...TASKS.slice(1), task({ name: "old", desired_state: "shutdown" })];
    const shown = table([service({ name: "a", replicas: null, routed: 1, tasks: all })], {
      details,
    });
    expect(shown.find((line) => line.startsWith("a "))).toContain(`  ${tasks} `);
  });

  test("say how many services are left out", () => {
    expect(table([service({ name: "a" })], { services: 12 }).at(-1)).toBe("and 12 more services");
    expect(table([], { services: 1 }).at(-1)).toBe("and 1 more service");
  });

  test("say that no service has a label", () => {
    expect(table([]).at(-1)).toBe("No service has a label that begins with inference.");
  });

  test("no text controls the terminal, and no text is long", () => {
    const bad = `\u001b[2J\n${"x".repeat(100_000)}`;
    const tasks = [task({ name: bad, node: bad, state: bad, reason: `other ${bad}` })];
    const containers = [containerStatus({ id: tasks[0]?.id })];
    const services = [service({ name: bad, update: bad, reason: bad, tasks })];
    const shown = lines({ containers, swarm: swarm(services) });
    expect(shown.join("")).not.toMatch(/\p{Cc}/u);
    for (const line of shown) expect(line.length).toBeLessThan(1_700);
    expect(shown.join("")).toContain("?[2J?xxx");
  });
});

describe("the swarm's state", () => {
  const REASON = "the socket proxy does not allow it: SERVICES=1 TASKS=1 NODES=1";

  test.each(["lost", "forbidden", "a_newer_word"])("has a line at the top: %s", (state) => {
    const shown = lines({ swarm: { ...swarm([]), state, reason: REASON } });
    expect(shown[2]).toBe(`Docker swarm: ${state} for 1 min 1 s: ${REASON}`);
    expect(shown.at(-1)).toBe(
      "No container has the label inference.enable. Add inference.enable=true to a server, and create its container again.",
    );
  });

  test("has no line while the swarm is followed, without a swarm, and with an older proxy", () => {
    for (const seen of [swarm([service({ name: "a" })]), null, undefined]) {
      expect(lines({ swarm: seen }).join("\n")).not.toContain("Docker swarm");
    }
  });

  test.each<[state: string, all: boolean]>([
    ["followed", true],
    ["forbidden", true],
    ["lost", false],
  ])("isAllRouted() while it is %p: %p", (state, all) => {
    const containers = [containerStatus()];
    expect(isAllRouted(parsed({ containers, swarm: { ...swarm([]), state } }))).toBe(all);
  });

  test("isAllRouted() ignores a task without a node; a starting task counts like a starting container", () => {
    const seen = swarm([service({ name: "ai_llm", tasks: TASKS, routed: 2, reason: ROOM })]);
    const [first, second] = TASKS.map(({ id, name }) => ({ id, name }));
    const routed = containerStatus(first);
    expect(isAllRouted(parsed({ containers: [routed], swarm: seen }))).toBe(true);
    const starting = containerStatus({ ...second, state: "starting" });
    expect(isAllRouted(parsed({ containers: [routed, starting], swarm: seen }))).toBe(false);
  });
});
