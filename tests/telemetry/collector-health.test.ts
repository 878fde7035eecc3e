import { expect, test } from "bun:test";
import { CollectorHealth } from "../../src/telemetry/collector-health.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

test("CollectorHealth logs once that sending fails and once that it works again", () => {
  const log = memoryLog();
  const health = new CollectorHealth(log);
  health.succeeded("traces");
  health.succeeded("metrics");
  expect(log.lines).toEqual([]);
  const laterMs = performance.now() + 1;
  for (let round = 0; round < 3; round += 1) {
    health.failed("traces", new Error("down"), laterMs);
    health.failed("metrics", "down as well", laterMs);
  }
  expect(log.lines).toMatchObject([{ level: "warn", signal: "traces", reason: "down" }]);
  health.succeeded("traces");
  health.succeeded("traces");
  expect(log.lines).toHaveLength(1); // metrics still fail
  health.succeeded("metrics");
  health.succeeded("metrics");
  expect(log.lines).toHaveLength(2);
  expect(log.lines[1]).toMatchObject({ level: "info", message: "telemetry export recovered" });
});

test("CollectorHealth ignores a failure that began before the last success", () => {
  const log = memoryLog();
  const health = new CollectorHealth(log);
  const begunMs = performance.now();
  health.failed("traces", "down", begunMs);
  health.succeeded("traces");
  health.failed("metrics", "gave up waiting", begunMs);
  expect(log.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
});
