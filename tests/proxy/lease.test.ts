import { describe, expect, test } from "bun:test";
import { type Addressed, take } from "../../src/proxy/lease.ts";
import { refuse } from "../../src/proxy/own/errors.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import {
  BY_ID,
  BY_QUERY,
  IN_BODY,
  statusAndCode,
  UNKNOWN,
  UNNAMED,
} from "../support/proxy/destinations.ts";
import { makeBackend } from "../support/server/backends.ts";

const OPTIONS: Addressed = { ...BY_QUERY, method: "OPTIONS" };

describe("take()", () => {
  const [a, b, b2] = ["a", "b", "b"].map((id) => makeBackend({ models: [{ id }] })) as [
    Backend,
    Backend,
    Backend,
  ];

  function table(active: readonly Backend[], draining: readonly Backend[] = []): RoutingTable {
    const made = new RoutingTable();
    for (const backend of [...active, ...draining]) made.admit(backend);
    return made;
  }

  async function taken(to: Addressed, routes: RoutingTable): Promise<string> {
    const routed = take(to, { routes, isReady: () => true });
    if (routed.kind === "refused") return statusAndCode(refuse(routed.refusal()));
    routed.lease.end();
    return routed.lease.backend.name;
  }

  test.each<[what: string, to: Addressed, all: () => RoutingTable, taken: string]>([
    ["a model", { kind: "model", model: "a", isInBody: true }, () => table([a, b]), a.name],
    [
      "an unknown model",
      { kind: "model", model: "c", isInBody: true },
      () => table([a]),
      "404 model_not_found",
    ],
    ["a run", { kind: "run", run: a.run, responseId: "r" }, () => table([a, b]), a.name],
    [
      "a stopped run",
      { kind: "run", run: a.run, responseId: "r" },
      () => table([b]),
      "404 response_not_found",
    ],
    ["no name, one server", UNNAMED, () => table([b]), b.name],
    ["no name, two servers", UNNAMED, () => table([a, b]), "400 model_required"],
    ["an unknown response, one server", UNKNOWN, () => table([b]), b.name],
    ["an unknown response, two servers", UNKNOWN, () => table([a, b]), "404 response_not_found"],
    ["an unknown response, no server", UNKNOWN, () => table([]), "503 backend_unavailable"],
    ["no name, no server", UNNAMED, () => table([]), "503 backend_unavailable"],
    ["a file, one server", BY_ID, () => table([b]), b.name],
    ["a file, two servers of one model", BY_ID, () => table([b, b2]), "400 model_required"],
    ["no name, two servers of one model", UNNAMED, () => table([b, b2]), b2.name],
    ["OPTIONS", OPTIONS, () => table([a, b]), b.name],
    ["OPTIONS, no server", OPTIONS, () => table([]), "503 backend_unavailable"],
  ])("%s", async (_what, to, all, expected) => {
    expect(await taken(to, all())).toBe(expected);
  });

  test("does not call a response unknown while the proxy starts", async () => {
    for (const routes of [table([a, b]), table([])]) {
      const answer = take(UNKNOWN, { routes, isReady: () => false });
      expect(answer.kind === "refused" && answer.refusal().code).toBe("starting");
    }
  });

  test.each<[to: Addressed, lack: string]>([
    [{ kind: "model", model: "m", isInBody: true }, 'has not seen model "m" yet'],
    [UNNAMED, "has not seen any server yet"],
  ])("says what a proxy that is not ready waits for: %p", (to, lack) => {
    const says = (awaitsEngine: boolean): unknown => {
      const answer = take(to, {
        ...{ routes: table([]), isReady: () => false, awaitsEngine: () => awaitsEngine },
      });
      return answer.kind === "refused" && answer.refusal();
    };
    const CANNOT = "Cannot route the request: the proxy is";
    expect(says(false)).toEqual({
      code: "starting",
      message: `${CANNOT} starting and ${lack}; try again shortly`,
    });
    expect(says(true)).toEqual({
      code: "starting",
      message: `${CANNOT} waiting for the Docker engine's list of containers and ${lack}; try again shortly; if this lasts, lw-inference-proxy status says why`,
    });
  });

  test("says that a server is stopping, for a model and for a run", async () => {
    const stopping = makeBackend();
    const routes = table([stopping]);
    routes.drain(stopping);
    expect(await taken(IN_BODY, routes)).toBe("503 backend_draining");
    const run: Addressed = { kind: "run", run: stopping.run, responseId: "r" };
    expect(await taken(run, routes)).toBe("503 backend_draining");
  });
});
