/** docs/operating.md lists every event of the log with its levels and fields. */
import { expect, test } from "bun:test";
import { SERVER_STATES } from "../../src/fleet/condition.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { LOG_EVENTS } from "../../src/telemetry/log-events.ts";
import { codeBlocks, readText, tablesOf } from "../support/docs.ts";

const DOCS = readText("docs/operating.md");

/** What the page writes for the events `container routed`, `container ignored` and so on. */
const ANY_STATE = "container STATE";

type Row = readonly [event: string, levels: readonly string[], fields: readonly string[]];

function rowsOfPage(): readonly Row[] {
  const split = (cell = ""): string[] => cell.replaceAll("`", "").split(", ");
  return tablesOf(DOCS, "Event")
    .filter(([, level]) => /^(debug|info|warn|error)\b/.test(level ?? ""))
    .map(([event = "", levels, fields]) => [
      event,
      split(levels).toSorted(),
      fields === "–" ? [] : split(fields),
    ]);
}

function rowsOfCode(): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const [event, { levels, fields }] of Object.entries(LOG_EVENTS)) {
    const isState = SERVER_STATES.some((state) => event === `container ${state}`);
    const name = isState ? ANY_STATE : event;
    const all = new Set<string>([...(rows.get(name)?.[1] ?? []), ...levels]);
    rows.set(name, [name, [...all].toSorted(), fields]);
  }
  return [...rows.values()];
}

test("docs/operating.md has every event with its levels and fields, and no other", () => {
  const byName = ([a]: Row, [b]: Row): number => (a < b ? -1 : 1);
  expect(rowsOfPage().toSorted(byName)).toEqual(rowsOfCode().toSorted(byName));
});

test("each state of a container is an event", () => {
  for (const state of SERVER_STATES) expect(LOG_EVENTS).toHaveProperty([`container ${state}`]);
});

test("the line that docs/operating.md shows is one that the log writes", () => {
  const [shown = ""] = codeBlocks(DOCS, "json").filter((block) => block.includes('"level"'));
  const { time, level: _level, message: _message, ...fields } = JSON.parse(shown);
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
  log.info("container routed", fields);
  expect(lines[0]!.replace(/"time":"[^"]*"/, `"time":"${time}"`)).toBe(shown);
});
