import { describe, expect, test } from "bun:test";
import { sharingNotes } from "../../src/fleet/sharing.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

/**
 * The notes for containers that became healthy one after the other, by name.
 *
 * @param isReplica true for the name of a container with the label `inference.replica`
 */
function notesOf(
  lists: Readonly<Record<string, readonly string[]>>,
  isReplica: (name: string) => boolean = () => false,
): Record<string, string> {
  const table = new RoutingTable();
  for (const [name, ids] of Object.entries(lists)) {
    const models = ids.map((id) => ({ id }));
    table.admit(makeBackend({ name, isReplica: isReplica(name), models }));
  }
  return named(sharingNotes(table.overlaps));
}

function named(notes: ReadonlyMap<Backend, string>): Record<string, string> {
  return Object.fromEntries([...notes].map(([{ name }, note]) => [name, note]));
}

function many(count: number, name: string): readonly string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
}

describe("sharingNotes()", () => {
  test("for two groups that a source has named, and for one container with the label", () => {
    const table = new RoutingTable();
    const admit = (name: string, shares?: string): void =>
      void table.admit(makeBackend({ name, shares }));
    admit("old");
    admit("a", "a");
    admit("b-1", "b");
    admit("b-2", "b");
    expect(named(sharingNotes(table.overlaps))).toEqual({
      old: "b-2 gets the requests for model m: it became healthy later and shares them only with its own replicas",
      a: "b-2 gets the requests for model m: it became healthy later and shares them only with its own replicas",
      "b-1": "shares the requests for model m with b-2",
      "b-2":
        "shares the requests for model m with b-1; gets the requests for model m instead of a, old",
    });
    table.admit(makeBackend({ name: "c", isReplica: true }));
    expect(named(sharingNotes(table.overlaps))["a"]).toBe(
      "c gets the requests for model m: it became healthy later and shares them only with containers that have the label inference.replica=true",
    );
    admit("d", "d");
    expect(named(sharingNotes(table.overlaps))["c"]).toBe(
      "d gets the requests for model m: it became healthy later and does not have the label inference.replica=true",
    );
  });

  test("has no notes if no two containers have the same model", () => {
    expect(notesOf({ a: ["m"], b: ["n"] })).toEqual({});
  });

  test("says for one model which container gets its requests, and which gets none", () => {
    expect(notesOf({ old: ["m", "n"], new: ["m"], other: ["x"] })).toEqual({
      old: "new gets the requests for model m: it became healthy later",
      new: "gets the requests for model m instead of old",
    });
  });

  test("for several models and several containers", () => {
    expect(notesOf({ a: ["x", "y", "z"], b: ["x", "y"], c: ["z", "y"] })).toEqual({
      a: "c gets the requests for models z, y: it became healthy later; b gets the requests for model x: it became healthy later",
      b: "c gets the requests for model y: it became healthy later; gets the requests for model x instead of a",
      c: "gets the requests for models z, y instead of a; gets the requests for model y instead of b",
    });
  });

  test("names containers with the same models together", () => {
    expect(notesOf({ a: ["m"], b: ["m"], c: ["m"] })["c"]).toBe(
      "gets the requests for model m instead of b, a",
    );
  });

  test("is short with any number of models and containers, and with long names", () => {
    const models = many(10_000, "m".repeat(500));
    const notes = notesOf({
      ...Object.fromEntries(many(20, "c".repeat(500)).map((name, n) => [name, models.slice(n)])),
      last: models,
    });
    for (const note of Object.values(notes)) expect(note.length).toBeLessThan(6_000);
    expect(notes["last"]).toMatch(
      /^gets the requests for 10000 models \(m+…, m+…, m+… and 9997 more\) instead of c+…; /,
    );
    expect(notes["last"]).toEndWith("; and 17 more like this");
  });
});

const ALL = (): boolean => true;

describe("sharingNotes() for replicas", () => {
  test("each names all others that share its model, not only the newest", () => {
    expect(notesOf({ "gpu-1": ["m"], "gpu-2": ["m"], "gpu-3": ["m"] }, ALL)).toEqual({
      "gpu-1": "shares the requests for model m with gpu-3 and gpu-2",
      "gpu-2": "shares the requests for model m with gpu-3 and gpu-1",
      "gpu-3": "shares the requests for model m with gpu-2 and gpu-1",
    });
  });

  test("a replica that is alone with its model has no note", () => {
    expect(notesOf({ a: ["m"], b: ["n"] }, ALL)).toEqual({});
  });

  test("for several models, shared with several others", () => {
    expect(notesOf({ a: ["x", "y", "z"], b: ["x", "y"], c: ["z"] }, ALL)).toEqual({
      a: "shares the requests for model z with c; shares the requests for models x, y with b",
      b: "shares the requests for models x, y with a",
      c: "shares the requests for model z with a",
    });
  });

  test("an older container without the label: the replicas share, and its note names the label", () => {
    const notes = notesOf({ a: ["m"], old: ["m"], b: ["m"] }, (name) => name !== "old");
    expect(notes).toEqual({
      a: "shares the requests for model m with b",
      old: "b gets the requests for model m: it became healthy later and shares them only with containers that have the label inference.replica=true",
      b: "shares the requests for model m with a; gets the requests for model m instead of old",
    });
  });

  test("a newer container without the label: it gets all requests, and the notes of the replicas name the label", () => {
    const notes = notesOf({ a: ["m"], b: ["m"], young: ["m"] }, (name) => name !== "young");
    const waits =
      "young gets the requests for model m: it became healthy later and does not have the label inference.replica=true";
    expect(notes).toEqual({
      a: waits,
      b: waits,
      young: "gets the requests for model m instead of b, a",
    });
  });

  test("is short with any number of models and replicas, and with long names", () => {
    const models = many(10_000, "m".repeat(500));
    const replicas = many(20, "c".repeat(500)).map((name, n) => [name, models.slice(n * 2)]);
    const notes = notesOf(Object.fromEntries(replicas), ALL);
    expect(Object.keys(notes)).toHaveLength(20);
    for (const note of Object.values(notes)) expect(note.length).toBeLessThan(6_000);
    const [newest = "", ...older] = Object.values(notes);
    expect(newest).toMatch(
      /^shares the requests for 9962 models \(m+…, m+…, m+… and 9959 more\) with c+…, c+…, c+… and 16 more$/,
    );
    expect(older.filter((note) => note.endsWith("; and 16 more like this"))).toHaveLength(2);
  });
});
