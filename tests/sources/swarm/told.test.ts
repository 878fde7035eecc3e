import { expect, test } from "bun:test";
import type { Sighting } from "../../../src/sources/sighting.ts";
import { Told } from "../../../src/sources/swarm/told.ts";
import { RUN, sightingOf } from "../../support/server/sightings.ts";

test("isNew() is true only for a change; settings are the same if they are the same object", () => {
  const told = new Told();
  const settings = { basePath: "/v1", models: ["m".repeat(1_000)] };
  const seen = (kind: "routable" | "stopping", of = settings): Sighting =>
    ({ ...sightingOf(kind, RUN), settings: of }) as Sighting;
  expect(told.sighting).toBeUndefined();
  expect([told.isNew(seen("routable")), told.isNew(seen("routable"))]).toEqual([true, false]);
  expect(told.isNew(seen("stopping"))).toBe(true);
  const other = { ...settings, models: ["other"] };
  expect([told.isNew(seen("stopping", other)), told.isNew(seen("stopping", other))]).toEqual([
    true,
    false,
  ]);
  expect(told.sighting).toMatchObject({ settings: { models: ["other"] } });
  expect(told.isNew(sightingOf("absent", RUN))).toBe(true);
});

test("host is the address of the last sighting in the form of a DNS answer", () => {
  const told = new Told();
  expect(told.host).toBe("");
  for (const host of ["10.0.1.5", "10.0.1.6"]) {
    told.isNew(sightingOf("routable", { ...RUN, origin: `http://${host}:8000` }));
    expect([told.host, told.host]).toEqual([host, host]);
  }
  told.isNew(sightingOf("absent", RUN));
  expect(told.host).toBe("");
});
