import { expect, test } from "bun:test";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import { CollectorHealth } from "../../src/telemetry/collector-health.ts";
import { watchSpanExporter } from "../../src/telemetry/exporters.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";

test("an exporter that throws counts as failed, and the error goes no further", async () => {
  const log = memoryLog();
  const broken: SpanExporter = {
    export: () => {
      throw new Error("cannot serialize");
    },
    shutdown: () => Promise.resolve(),
  };
  const watched = watchSpanExporter(broken, new CollectorHealth(log));
  const results: ExportResult[] = [];
  watched.export([], (result) => results.push(result));
  expect(results).toMatchObject([{ code: ExportResultCode.FAILED }]);
  expect(log.lines).toMatchObject([{ level: "warn", reason: "cannot serialize" }]);
  await watched.forceFlush?.();
  await watched.shutdown();
});
