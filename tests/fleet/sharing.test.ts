import { describe, expect, test } from "bun:test";
import { sharingNotes } from "../../src/fleet/sharing.ts";
import type { Backend } from "../../src/routing/backend.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend } from "../support/server/backends.ts";

/** The notes for containers that have become healthy one after the other, by their names. */
function notesOf(lists: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const table = new RoutingTable();
  for (const [name, ids] of Object.entries(lists)) {
    table.admit(makeBackend({ name, models: ids.map((id) => ({ id })) }));
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
  test("nobody shares a model: there is nothing to say", () => {
    expect(notesOf({ a: ["m"], b: ["n"] })).toEqual({});
  });

  test("says of one model who gets its requests, and who waits", () => {
    expect(notesOf({ old: ["m", "n"], new: ["m"], other: ["x"] })).toEqual({
      old: "model m goes to new, which became healthy later",
      new: "takes the requests of model m instead of old",
    });
  });

  test("of several models, to several containers", () => {
    expect(notesOf({ a: ["x", "y", "z"], b: ["x", "y"], c: ["z", "y"] })).toEqual({
      a: "models z, y go to c, which became healthy later; model x goes to b, which became healthy later",
      b: "model y goes to c, which became healthy later; takes the requests of model x instead of a",
      c: "takes the requests of models z, y instead of a; takes the requests of model y instead of b",
    });
  });

  test("containers with the same models are named together", () => {
    expect(notesOf({ a: ["m"], b: ["m"], c: ["m"] })["c"]).toBe(
      "takes the requests of model m instead of b, a",
    );
  });

  test("is short, however many models and containers there are, and however long their names", () => {
    const models = many(10_000, "m".repeat(500));
    const notes = notesOf({
      ...Object.fromEntries(many(20, "c".repeat(500)).map((name, n) => [name, models.slice(n)])),
      last: models,
    });
    for (const note of Object.values(notes)) expect(note.length).toBeLessThan(6_000);
    expect(notes["last"]).toMatch(
      /^takes the requests of 10000 models \(m+…, m+…, m+… and 9997 more\) instead of c+…; /,
    );
    expect(notes["last"]).toEndWith("; and 17 more like this");
  });
});
