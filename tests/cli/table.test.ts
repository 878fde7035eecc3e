import { describe, expect, test } from "bun:test";
import { isAllRouted, parseStatus, renderStatus, type StatusReply } from "../../src/cli/table.ts";
import { containerStatus, STARTED_MS, statusReply } from "../support/proxy/status-reply.ts";

function parsed(more: object = {}): StatusReply {
  return parseStatus(JSON.stringify(statusReply(more)))!;
}

describe("parseStatus()", () => {
  test("reads the fields in use and ignores new ones", () => {
    const status = parsed({ surprise: 1, containers: [containerStatus({ surprise: 1 })] });
    expect(status.containers.map(({ name, models }) => [name, models])).toEqual([
      ["vllm-1", ["org/a", "b"]],
    ]);
  });

  test.each(["", "ok", "null", "[]", "{}", '{"status":"ok"}'])("refuses %p", (body) => {
    expect(parseStatus(body)).toBeUndefined();
  });
});

describe("isAllRouted()", () => {
  test.each<[why: string, all: boolean, more: object]>([
    ["no container", true, {}],
    ["routed and disabled containers", true, { containers: states("routed", "disabled") }],
    ...["reading_models", "starting", "unhealthy", "paused", "stopping", "restarting", "stopped"]
      .concat("ignored", "new_state")
      .map((state): [string, boolean, object] => [
        `a container that is ${state}`,
        false,
        { containers: states("routed", state) },
      ]),
    ...["connecting", "lost"].map((state): [string, boolean, object] => [
      `an engine that is ${state}`,
      false,
      { engine: { ...(statusReply()["engine"] as object), state }, containers: states("routed") },
    ]),
  ])("%s: %p", (_why, all, more) => {
    expect(isAllRouted(parsed(more))).toBe(all);
  });
});

function states(...all: readonly string[]): readonly object[] {
  return all.map((state) => containerStatus({ state }));
}

describe("renderStatus()", () => {
  test("is an aligned table with the models or the reason", () => {
    const containers = [
      containerStatus(),
      containerStatus({
        name: "a-long-name-1",
        state: "unhealthy",
        reason: "its health check fails: exit 1",
        address: null,
        models: [],
        in_flight: 0,
      }),
    ];
    expect(renderStatus(parsed({ containers }), STARTED_MS + 61_000)).toBe(
      [
        "lw-inference-proxy 1.2.3, up 3 h 4 min, ready, 3 in flight",
        "Docker engine at unix:///var/run/docker.sock: connected for 1 min 1 s, API 1.41",
        "",
        "CONTAINER      STATE      FOR        IN FLIGHT  ADDRESS          MODELS OR REASON",
        "vllm-1         routed     1 min 1 s  3          172.18.0.3:8000  org/a, b",
        "a-long-name-1  unhealthy  1 min 1 s  0          –                its health check fails: exit 1",
        "",
      ].join("\n"),
    );
  });

  test("says what is wrong with the engine, and that no container has the label", () => {
    const engine = {
      address: "tcp://socket-proxy:2375",
      state: "lost",
      reason: "connection refused",
      since: "2026-01-02T03:04:05.000Z",
      api_version: null,
    };
    expect(renderStatus(parsed({ engine, ready: false }), STARTED_MS + 5_000)).toBe(
      [
        "lw-inference-proxy 1.2.3, up 3 h 4 min, not ready yet, 3 in flight",
        "Docker engine at tcp://socket-proxy:2375: lost for 5 s: connection refused",
        "",
        "No container has the label inference.enable. Add inference.enable=true to a server, and create its container again.",
        "",
      ].join("\n"),
    );
  });

  test("before the first answer of the engine it does not say that there is no container", () => {
    const engine = { ...(statusReply()["engine"] as object), state: "connecting" };
    const shown = renderStatus(parsed({ engine, ready: false }), STARTED_MS);
    expect(shown).not.toContain("No container");
    expect(shown).toEndWith("\n\nThe engine has not reported any container yet.\n");
  });

  test.each<[seconds: number, text: string]>([
    [0, "0 s"],
    [0.9, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [3_599, "59 min 59 s"],
    [3_600, "1 h"],
    [3_605, "1 h"],
    [86_399, "23 h 59 min"],
    [90_000, "1 d 1 h"],
    [864_000, "10 d"],
    [-5, "0 s"],
  ])("shows %p seconds as %p", (uptime_seconds, text) => {
    expect(renderStatus(parsed({ uptime_seconds }), STARTED_MS)).toContain(`up ${text}, ready`);
  });

  test("the name of a model cannot move the cursor of the terminal", () => {
    const containers = [containerStatus({ models: ["a\u001b[2Jb\nc\u009b"] })];
    expect(renderStatus(parsed({ containers }), STARTED_MS)).toContain("a?[2Jb?c?\n");
  });

  test("texts cannot reverse the text or break lines and columns", () => {
    const containers = [
      containerStatus({ models: ["a\u202eb\u2066c\u2028d\u2029e"] }),
      containerStatus({ state: "\u001b[31mred", models: ["x"] }),
    ];
    const table = renderStatus(parsed({ containers }), STARTED_MS);
    expect(table).toContain("a?b?c?d?e\n");
    const [first = "", second = ""] = table.split("\n").slice(4);
    expect(second.indexOf("172.")).toBe(first.indexOf("172."));
    expect(second).toContain("?[31mred");
  });

  test.each<[reason: string, shown: string]>([
    ["healthy", "org/a, b"],
    [
      "healthy; model b goes to vllm-2, which became healthy later",
      "org/a, b (model b goes to vllm-2, which became healthy later)",
    ],
    ["models: 503; keeping those it had", "org/a, b (models: 503; keeping those it had)"],
    ["no shared network; healthy", "org/a, b (no shared network)"],
  ])("shows the models and the notes of a routed container: %p", (reason, shown) => {
    const containers = [containerStatus({ reason })];
    expect(renderStatus(parsed({ containers }), STARTED_MS)).toEndWith(`  ${shown}\n`);
  });

  test.each<[what: string, more: object, inFlight: string, shown: string]>([
    ["without a limit and not a replica", {}, "3", "org/a, b"],
    ["with a limit", { max_in_flight: 16 }, "3/16", "org/a, b"],
    [
      "that is a replica",
      {
        reason: "healthy; shares the requests of model b with vllm-2",
        load: 3.2,
        requests_last_minute: { prefix: 40, load: 12, only: 2, failover: 1 },
      },
      "3",
      "org/a, b (shares the requests of model b with vllm-2; load 3.2; last minute: 40 by prefix, 12 by load, 2 as the only server, 1 by failover)",
    ],
    [
      "that got nothing",
      { load: 0, requests_last_minute: { prefix: 0, load: 0, only: 0, failover: 0 } },
      "3",
      "org/a, b (load 0; last minute: no requests)",
    ],
    [
      "of a newer proxy, with other words",
      { load: 1, requests_last_minute: { prefix: 1, "\u001b[2J": 2 }, max_in_flight: 4 },
      "3/4",
      "org/a, b (load 1; last minute: 1 by prefix, 2 by ?[2J)",
    ],
    [
      "of an older proxy",
      { max_in_flight: undefined, load: undefined, requests_last_minute: undefined },
      "3",
      "org/a, b",
    ],
  ])("shows the load of a container %s", (_what, more, inFlight, shown) => {
    const table = renderStatus(parsed({ containers: [containerStatus(more)] }), STARTED_MS);
    expect(table).toMatch(new RegExp(`  ${inFlight} +172\\.18\\.0\\.3:8000  `));
    expect(table).toEndWith(`172.18.0.3:8000  ${shown}\n`);
  });

  describe("the line of waiting requests", () => {
    const waitingLine = (models?: readonly object[]): string | undefined =>
      renderStatus(parsed({ models }), STARTED_MS)
        .split("\n")
        .find((line) => line.startsWith("waiting:"));

    test.each<[what: string, models: readonly object[] | undefined]>([
      ["no model", []],
      ["a model without waiting requests", [{ id: "m", waiting: 0 }]],
      ["an older proxy", undefined],
      ["a newer proxy that has other fields", [{ id: "m", surprise: 1 }]],
    ])("is missing with %s", (_what, models) => {
      expect(waitingLine(models)).toBeUndefined();
    });

    test("has the models that requests wait for, the longest queue first", () => {
      const models = [
        { id: "idle", waiting: 0 },
        { id: "qwen", waiting: 3 },
        { id: "llama", waiting: 12 },
      ];
      expect(waitingLine(models)).toBe("waiting: 12 for llama, 3 for qwen");
      expect(renderStatus(parsed({ models }), STARTED_MS).split("\n")[2]).toBe(
        waitingLine(models)!,
      );
    });

    test("shows ten models and adds up the rest", () => {
      const models = Array.from({ length: 10_000 }, (_, n) => ({ id: `m${n}`, waiting: 1 }));
      const shown = models.slice(0, 10).map(({ id }) => `1 for ${id}`);
      expect(waitingLine(models)).toBe(`waiting: ${shown.join(", ")}, 9990 for 9990 more`);
    });

    test("cuts long ids and replaces control characters", () => {
      const models = [
        { id: "x".repeat(65_536), waiting: 2 },
        { id: "a\u001b[2J\nb", waiting: 1 },
      ];
      expect(waitingLine(models)).toBe(`waiting: 2 for ${"x".repeat(100)}…, 1 for a?[2J?b`);
    });
  });

  test("a routed container without models shows the reason instead", () => {
    const containers = [containerStatus({ models: [], reason: "its list is empty" })];
    expect(renderStatus(parsed({ containers }), STARTED_MS)).toContain("  its list is empty\n");
  });
});
