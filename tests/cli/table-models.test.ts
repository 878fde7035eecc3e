/** How the tables of `status` show models and entries that the reply leaves out. */
import { expect, test } from "bun:test";
import { parseStatus, renderStatus, type StatusReply } from "../../src/cli/table.ts";
import { containerStatus, STARTED_MS, statusReply } from "../support/proxy/status-reply.ts";

function parsed(more: object): StatusReply {
  return parseStatus(JSON.stringify(statusReply(more)))!;
}

test("says how many containers, models and models of one container the reply leaves out", () => {
  const left_out = { containers: 12, services: 0, models: 1, changes: 0, details: true };
  const containers = [
    containerStatus({ name: "many", model_count: 9_000, reason: "healthy; why" }),
    containerStatus({ name: "long", models: [], model_count: 2 }),
  ];
  const lines = renderStatus(parsed({ containers, left_out }), STARTED_MS).split("\n");
  expect(lines.slice(4)).toEqual([
    expect.stringMatching(/ {2}org\/a, b and 8998 more \(why\)$/),
    expect.stringMatching(/ {2}2 models$/),
    "and 12 more containers",
    "",
    "and 1 more model",
    "",
  ]);
});

test("the models have their own table below", () => {
  const models = [{ id: "m", waiting: 0, in_flight: 1, servers: [], recent: null }];
  const shown = renderStatus(parsed({ containers: [containerStatus()], models }), STARTED_MS);
  expect(shown).toContain("  org/a, b\n\nMODEL  IN FLIGHT  LAST 5 MIN  SERVERS\nm      1  ");
});
