import { describe, expect, test } from "bun:test";
import { statusText } from "../../../src/proxy/own/status-fit.ts";
import type {
  Change,
  ContainerStatus,
  ModelServer,
  ModelStatus,
  Status,
} from "../../../src/status.ts";
import { recent } from "../../support/proxy/recent.ts";
import { containerStatus, plainStatus } from "../../support/proxy/status-reply.ts";

const LIMIT = 256 * 1024;
/** Takes 6 bytes in JSON. */
const CONTROL = "\u0001";
const NOTHING_LEFT_OUT = { containers: 0, services: 0, models: 0, changes: 0, details: false };

function container(name: string, more: Partial<ContainerStatus> = {}): ContainerStatus {
  return containerStatus({ name, ...more }) as unknown as ContainerStatus;
}

function model(id: string, more: Partial<ModelStatus> = {}): ModelStatus {
  return { id, waiting: 0, in_flight: 0, servers: [], recent: null, ...more };
}

function change(name: string, reason = ""): Change {
  return { at: "", what: "container", name, state: "routed", reason, times: 1 };
}

function many<Made>(count: number, make: (name: string, n: number) => Made): readonly Made[] {
  return Array.from({ length: count }, (_, n) => make(`${n}`.padStart(5, "0"), n));
}

/** @returns the shown status, after a check that its text is within the limit */
function fit(status: Partial<Status>, bytesMax = LIMIT): Status {
  const text = statusText(plainStatus(status), bytesMax);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(bytesMax);
  return JSON.parse(text) as Status;
}

describe("statusText()", () => {
  test("adds its own count of left-out models to the earlier count", () => {
    const left_out = { ...NOTHING_LEFT_OUT, models: 7 };
    const models = many(5_000, (id) => model(id));
    expect(fit({ models: [model("m")], left_out }).left_out.models).toBe(7);
    const shown = fit({ models, left_out });
    expect(shown.left_out.models).toBe(7 + 5_000 - shown.models.length);
  });

  test("leaves nothing out if the status fits exactly, and one container if it is one byte too long", () => {
    const status = plainStatus({ containers: many(300, (name) => container(name)) });
    const bytes = Buffer.byteLength(JSON.stringify(status));
    expect(fit(status, bytes)).toEqual(status);
    const shown = fit(status, bytes - 1);
    expect(shown.left_out).toMatchObject({ containers: 1, models: 0, changes: 0 });
    expect(shown.containers).toHaveLength(299);
  });

  test("counts bytes, not characters, and the length of escapes", () => {
    for (const letter of ["é", "\u{1f680}", CONTROL, "\u202e", "\ud800"]) {
      const models = many(400, (name) => model(`${name}${letter.repeat(400)}`));
      const { models: shown, left_out } = fit({ models });
      expect(left_out.models).toBe(400 - shown.length);
      expect(shown.length).toBeGreaterThan(80);
    }
  });

  test("first leaves out the recent numbers of the least used entries", () => {
    const containers = many(250, (name, n) => container(name, { recent: recent(n + 1) }));
    const models = many(250, (name, n) => model(name, { recent: recent(n + 1_001) }));
    const shown = fit({ containers, models });
    expect(shown.left_out).toEqual({ ...NOTHING_LEFT_OUT, details: true });
    const shownOf = (all: readonly { readonly recent: unknown }[]): number =>
      all.filter((each) => each.recent !== null).length;
    expect(shownOf(shown.models)).toBe(250);
    const busiest = shownOf(shown.containers);
    expect(busiest).toBeWithin(50, 250);
    expect(shown.containers.slice(-busiest)).toEqual(containers.slice(-busiest));
    expect(shown.containers.map(({ reason }) => reason)).toEqual(
      containers.map(({ reason }) => reason),
    );
  });

  test("then leaves out the ends of long lists, not of short ones, and shows their full counts", () => {
    const ids = many(10_000, (name) => `model-${name}-${"x".repeat(80)}`);
    const servers: readonly ModelServer[] = many(9_000, (name) => ({
      ...{ container: name, gets: "none" },
    }));
    const shown = fit({
      containers: [
        container("big", { models: ids, model_count: 10_000, recent: recent(5) }),
        container("small", { models: ids.slice(0, 50), model_count: 50 }),
      ],
      models: [model("m", { servers })],
    });
    const [big, small] = shown.containers;
    expect([small?.models.length, small?.model_count]).toEqual([50, 50]);
    expect(big?.models.length).toBeWithin(500, 3_000);
    expect(big?.models).toEqual(ids.slice(0, big?.models.length));
    expect(big?.model_count).toBe(10_000);
    expect(shown.models[0]?.servers.length).toBeWithin(1_000, 9_000);
    expect(shown.left_out).toEqual({ ...NOTHING_LEFT_OUT, details: true });
  });

  test("then cuts long reasons, first those of routed containers", () => {
    const reason = "r".repeat(1_000);
    const containers = many(230, (name, n) =>
      container(name, { reason, state: n % 2 === 0 ? "routed" : "unhealthy" }),
    );
    const shown = fit({ containers });
    expect(shown.left_out).toEqual({ ...NOTHING_LEFT_OUT, details: true });
    expect(shown.containers.map(({ name }) => name)).toEqual(containers.map(({ name }) => name));
    const cut = shown.containers.filter((each) => each.reason.length < 1_000);
    expect(cut.length).toBeWithin(1, 115);
    expect(new Set(cut.map(({ state }) => state))).toEqual(new Set(["routed"]));
    expect(cut[0]?.reason).toBe(`${"r".repeat(200)}…`);
  });

  test("last leaves out whole containers, first idle ones that are routed or opted out", () => {
    const states = ["routed", "disabled", "unhealthy"];
    const containers = many(1_500, (name, n) => {
      const in_flight = n % 30 === 0 ? 2 : 0;
      return container(name, { state: states[n % 3] ?? "", in_flight });
    });
    const shown = fit({ containers });
    const count = (state: string): number =>
      shown.containers.filter((each) => each.state === state).length;
    expect(count("unhealthy")).toBe(500);
    expect(count("routed")).toBeWithin(50, 500);
    expect(shown.containers.filter(({ in_flight }) => in_flight > 0)).toHaveLength(50);
    expect(count("disabled")).toBe(0);
    expect(shown.left_out.containers).toBe(1_500 - shown.containers.length);
    expect(shown.containers.map(({ name }) => name)).toEqual(
      shown.containers.map(({ name }) => name).toSorted(),
    );
  });

  test("last leaves out whole models that get no requests", () => {
    const models = many(5_000, (name, n) =>
      model(name, {
        waiting: n === 4_000 ? 1 : 0,
        in_flight: n === 4_500 ? 1 : 0,
        recent: n === 4_900 ? recent(1) : null,
      }),
    );
    const shown = fit({ models });
    const names = shown.models.map(({ id }) => id);
    expect(names).toContainValues(["04000", "04500", "04900"]);
    expect(names.slice(0, -3)).toEqual(models.slice(0, names.length - 3).map(({ id }) => id));
    expect(shown.left_out).toMatchObject({ containers: 0, models: 5_000 - names.length });
  });

  test("many entries of one kind leave room for the other kinds", () => {
    const shown = fit({
      containers: many(5_000, (name) => container(name, { state: "unhealthy" })),
      models: many(5_000, (name) => model(name)),
      changes: many(100, (name) => change(name, "why")),
    });
    expect(shown.containers.length).toBeWithin(250, 600);
    expect(shown.models.length).toBeWithin(500, 2_000);
    expect(shown.changes).toHaveLength(100);
    const few = fit({
      containers: many(5_000, (name) => container(name)),
      models: [model("m")],
      changes: [change("c")],
    });
    expect([few.models.length, few.changes.length]).toEqual([1, 1]);
    expect(few.containers.length).toBeGreaterThan(500);
  });

  test("an entry that is larger than the limit does not push out the entries before it", () => {
    const huge = CONTROL.repeat(LIMIT);
    const shown = fit({
      containers: [
        container(huge, { state: "unhealthy", reason: huge, id: huge, address: huge }),
        container("vllm"),
      ],
      models: [model("m", { in_flight: 1 }), model(huge)],
      changes: [change("new"), change("old", huge)],
      engine: { address: huge, state: "lost", reason: huge, since: "", api_version: null },
      version: huge,
    });
    expect(shown.containers.map(({ state }) => state)).toEqual(["unhealthy", "routed"]);
    expect(shown.models.map(({ id }) => id)).toEqual(["m"]);
    expect(shown.changes.map(({ name }) => name)).toEqual(["new"]);
    expect(shown.left_out).toEqual({ ...NOTHING_LEFT_OUT, models: 1, changes: 1, details: true });
  });

  const LONG = "x".repeat(LIMIT);
  const NINE_THOUSAND: readonly ModelServer[] = many(9_000, (name) => ({
    ...{ container: name, gets: "none" },
  }));

  test.each<[what: string, status: Partial<Status>]>([
    ["the servers of a model", { models: [model("m", { servers: NINE_THOUSAND })] }],
    ["the models of a container", { containers: [container("c", { models: [LONG, LONG] })] }],
    ["a reason", { containers: [container("c", { reason: LONG })] }],
    ["a last exit", { containers: [container("c", { last_exit: { reason: LONG, at: null } })] }],
    ["recent numbers", { models: many(700, (name) => model(name, { recent: recent(1) })) }],
    ["the engine's reason", { engine: { ...plainStatus().engine, reason: LONG } }],
  ])("reports that it leaves out details: %s", (_what, status) => {
    expect(fit(status).left_out).toEqual({ ...NOTHING_LEFT_OUT, details: true });
  });

  test("reports details left out earlier, but not when only whole entries are left out", () => {
    const containers = many(5_000, (name) => container(name));
    expect(fit({ containers }).left_out.details).toBe(false);
    const left_out = { ...NOTHING_LEFT_OUT, details: true };
    expect(fit({ containers, left_out }).left_out.details).toBe(true);
  });

  test("the worst case fits, and takes less than 500 ms", () => {
    const ids = many(65, (name) => `${name}${CONTROL.repeat(995)}`);
    const servers = many(6, (name) => ({
      container: `${name}${CONTROL.repeat(195)}`,
      gets: "none",
    }));
    const status: Partial<Status> = {
      containers: many(1_000, (name) =>
        container(`${name}${CONTROL.repeat(195)}`, {
          ...{ state: "unhealthy", reason: CONTROL.repeat(1_000), recent: recent(1) },
          ...{ models: ids, model_count: 10_000 },
        }),
      ),
      models: many(10_000, (name) =>
        model(`${name}${CONTROL.repeat(995)}`, {
          ...{ recent: recent(1), servers: servers as readonly ModelServer[] },
        }),
      ),
      changes: many(100, (name) => change(`${name}${CONTROL.repeat(195)}`, CONTROL.repeat(200))),
    };
    fit(status);
    const beganMs = performance.now();
    const shown = fit(status);
    expect(performance.now() - beganMs).toBeLessThan(500); // measured: see the commit
    expect(shown.containers.length).toBeGreaterThan(30);
    expect(shown.models.length).toBeGreaterThan(10);
    expect(shown.left_out).toMatchObject({
      ...{ containers: 1_000 - shown.containers.length, models: 10_000 - shown.models.length },
      ...{ changes: 100 - shown.changes.length, details: true },
    });
  });
});
