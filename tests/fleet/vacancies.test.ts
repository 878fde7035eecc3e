import { describe, expect, test } from "bun:test";
import { Vacancies } from "../../src/fleet/vacancies.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { expectNever, until } from "../support/until.ts";

const MODELS = [{ id: "m" }];
const OLD = { source: "docker", id: "old" };
const NEW = { source: "docker", id: "new" };
const SLOTS = ["name vllm", "compose p/vllm/1"];
const LEAVER = { server: OLD, slots: SLOTS, models: MODELS, hasServed: true };
const LONG = { waitTimeoutMs: 60_000, vacantMs: 60_000 };
const SHORT = { waitTimeoutMs: 60_000, vacantMs: 5 };

function rig(times: ConstructorParameters<typeof Vacancies>[1]): {
  readonly vacancies: Vacancies;
  readonly kind: () => string;
} {
  const table = new RoutingTable();
  return { vacancies: new Vacancies(table, times), kind: () => table.find("m").kind };
}

describe("The place of a server that was told to stop and is gone", () => {
  test("is kept: its model is unavailable, and the words say why", () => {
    const table = new RoutingTable();
    expect(new Vacancies(table, LONG).left(LEAVER)).toBe(true);
    expect(table.find("m")).toEqual({
      kind: "unavailable",
      id: "m",
      trouble: "being replaced",
      says: "was stopped, and no other server has taken its place yet",
    });
  });

  test("is not kept if requests do not wait, or if it never had models", () => {
    const off = rig({ waitTimeoutMs: 0, vacantMs: 60_000 });
    expect(off.vacancies.left(LEAVER)).toBe(false);
    const { vacancies, kind } = rig(LONG);
    expect(vacancies.left({ ...LEAVER, models: [] })).toBe(false);
    expect([off.kind(), kind()]).toEqual(["unknown", "unknown"]);
  });

  test("is kept once, for a while: later calls of left() do not extend it", async () => {
    const { vacancies, kind } = rig(SHORT);
    expect([vacancies.left(LEAVER), vacancies.left(LEAVER)]).toEqual([true, true]);
    await until("its time is over", () => kind() === "unknown");
    expect(vacancies.left(LEAVER)).toBe(false);
    expect(kind()).toBe("unknown");
    vacancies.taken(OLD, SLOTS); // it was started again
    expect(vacancies.left(LEAVER)).toBe(true);
  });

  test("ends when the server is started again, even if it fills no slot", async () => {
    const { vacancies, kind } = rig(LONG);
    vacancies.taken(OLD, []);
    vacancies.left({ ...LEAVER, slots: [] });
    vacancies.taken(OLD, []);
    expect(vacancies.left({ ...LEAVER, slots: [] })).toBe(true); // a new place
    expect(kind()).toBe("unavailable");
    const short = rig(SHORT);
    short.vacancies.left({ ...LEAVER, slots: [] });
    short.vacancies.taken(OLD, []);
    await expectNever("its time ends", () => short.kind() === "unknown", 20);
  });

  test("is never kept longer than a request may wait", async () => {
    const { vacancies, kind } = rig({ waitTimeoutMs: 5, vacantMs: 60_000 });
    vacancies.left(LEAVER);
    await until("its time is over", () => kind() === "unknown");
  });

  test.each([
    ["by name", ["name vllm"]],
    ["by its number in a Compose service", ["name 0123456789ab_vllm", "compose p/vllm/1"]],
  ])("is taken by its successor %s, which counts from then on", (_how, slots) => {
    const { vacancies, kind } = rig(LONG);
    vacancies.left(LEAVER);
    vacancies.taken(NEW, ["name other", "compose p/vllm/2"]);
    expect(kind()).toBe("unavailable");
    vacancies.taken(NEW, slots);
    expect(kind()).toBe("unknown"); // not reported here: what the successor will serve
  });

  test("is not taken by a server that already ran when it left", () => {
    const { vacancies, kind } = rig(LONG);
    vacancies.taken(NEW, SLOTS);
    vacancies.left(LEAVER);
    vacancies.taken(NEW, SLOTS); // looked at again: no news
    expect(kind()).toBe("unavailable");
    vacancies.notComing(NEW);
    vacancies.taken(NEW, SLOTS); // it was started again
    expect(kind()).toBe("unknown");
  });

  test("is kept for the same time if its container is removed", async () => {
    const { vacancies, kind } = rig(SHORT);
    vacancies.left(LEAVER);
    vacancies.removed(OLD);
    expect(kind()).toBe("unavailable");
    await until("its time is over", () => kind() === "unknown");
    expect(vacancies.left(LEAVER)).toBe(true); // a removed server is forgotten
  });

  test("ends when a successor that never served is removed", () => {
    const { vacancies, kind } = rig(LONG);
    vacancies.left({ ...LEAVER, server: NEW, hasServed: false });
    expect(kind()).toBe("unavailable");
    vacancies.removed(NEW);
    expect(kind()).toBe("unknown");
  });

  describe("with a successor that was made and not started yet", () => {
    const late = { waitTimeoutMs: 60_000, vacantMs: 30 };

    test.each(["before it went", "after it went"])("%s, is kept longer", async (when) => {
      const { vacancies, kind } = rig(late);
      if (when === "before it went") vacancies.created(NEW, ["compose p/vllm/1"]);
      vacancies.left(LEAVER);
      if (when === "after it went") vacancies.created(NEW, ["compose p/vllm/1"]);
      const other = rig(late);
      other.vacancies.left(LEAVER);
      await until("the time of another one is over", () => other.kind() === "unknown");
      expect(kind()).toBe("unavailable");
    });

    test("is kept even if a successor that never served has left it, because that one is replaced too", () => {
      const { vacancies, kind } = rig(LONG);
      const next = { source: "docker", id: "next" };
      vacancies.left({ ...LEAVER, server: NEW, hasServed: false });
      vacancies.created(next, ["name 0123456789ab_vllm", "compose p/vllm/1"]);
      vacancies.removed(NEW);
      expect(kind()).toBe("unavailable");
      vacancies.removed(next);
      expect(kind()).toBe("unknown");
    });

    test("is not kept longer for a successor that was made long ago", async () => {
      const { vacancies, kind } = rig({ waitTimeoutMs: 40, vacantMs: 5 });
      vacancies.created(NEW, SLOTS);
      vacancies.left({ ...LEAVER, server: { source: "docker", id: "first" } });
      const first = performance.now();
      await until("its time is over", () => kind() === "unknown");
      expect(performance.now() - first).toBeGreaterThan(30);
      vacancies.created(NEW, SLOTS); // looked at again: no news
      vacancies.left(LEAVER);
      const second = performance.now();
      await until("its time is over", () => kind() === "unknown");
      expect(performance.now() - second).toBeLessThan(30);
    });

    test("is kept when one of several successors is removed, and ends with the last one", () => {
      const { vacancies, kind } = rig(late);
      const left = { source: "docker", id: "left" };
      vacancies.created(left, SLOTS);
      vacancies.created(NEW, SLOTS);
      vacancies.left(LEAVER);
      vacancies.removed(left);
      expect(kind()).toBe("unavailable");
      vacancies.removed(NEW);
      expect(kind()).toBe("unknown");
    });

    test("ends at once when the successor is removed or could not be started", () => {
      const { vacancies, kind } = rig(late);
      vacancies.created(NEW, SLOTS);
      vacancies.left(LEAVER);
      vacancies.notComing({ source: "docker", id: "other" });
      expect(kind()).toBe("unavailable");
      vacancies.removed(NEW);
      expect(kind()).toBe("unknown");
    });
  });

  test("is not kept longer for a successor that was made before and runs by now", async () => {
    const { vacancies, kind } = rig(SHORT);
    vacancies.created(NEW, SLOTS);
    vacancies.taken(NEW, SLOTS);
    vacancies.left(LEAVER);
    await until("its time is over", () => kind() === "unknown");
  });

  test("is not kept again for a successor that is made after its time", async () => {
    const { vacancies, kind } = rig(SHORT);
    vacancies.left(LEAVER);
    await until("its time is over", () => kind() === "unknown");
    vacancies.created(NEW, SLOTS);
    expect(kind()).toBe("unknown");
  });

  test("has no effect any more after its server was started again", async () => {
    const table = new RoutingTable();
    const vacancies = new Vacancies(table, SHORT);
    vacancies.left(LEAVER);
    vacancies.taken(OLD, SLOTS);
    table.expect(OLD, { models: MODELS }); // it is starting
    const other = rig(SHORT);
    other.vacancies.left(LEAVER);
    await until("the time of another one is over", () => other.kind() === "unknown");
    expect(table.find("m").kind).toBe("unavailable");
  });

  test("is kept for at most a thousand servers", () => {
    const { vacancies } = rig(LONG);
    for (let n = 0; n < 1_000; n += 1) {
      const server = { source: "docker", id: `c${n}` };
      expect(vacancies.left({ ...LEAVER, server })).toBe(true);
    }
    expect(vacancies.left(LEAVER)).toBe(false);
  });
});
