import { expect, test } from "bun:test";
import { join } from "node:path";
import { readTelemetrySettings } from "../../src/telemetry/settings.ts";
import { startTelemetry } from "../../src/telemetry/start.ts";
import { NO_REPORT, NO_TELEMETRY } from "../../src/telemetry/telemetry.ts";
import { memoryLog } from "../support/proxy/memory-log.ts";
import { NOTHING_OBSERVED } from "../support/proxy/reporting.ts";

const SRC = join(import.meta.dir, "../../src");

function makeInit(): Parameters<typeof startTelemetry>[1] {
  return { log: memoryLog(), version: "1", containerId: undefined, ...NOTHING_OBSERVED };
}

/** The package modules that the whole program loads with these telemetry settings. */
async function loadedModules(settings: object | undefined): Promise<readonly string[]> {
  const script = `
    for (const part of ["config", "server", "proxy/handler", "fleet/fleet"])
      await import("${SRC}/" + part + ".ts");
    const { startTelemetry } = await import("${SRC}/telemetry/start.ts");
    const nothing = () => undefined;
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    const init = {
      ...{ log, version: "1", containerId: undefined },
      ...{ activeBackends: () => 0, backendLoads: () => [] },
    };
    await startTelemetry(${JSON.stringify(settings)}, init);
    console.log(JSON.stringify(Object.keys(require.cache)));
    process.exit(0);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  const all = JSON.parse(await child.stdout.text()) as readonly string[];
  return all.filter((path) => path.includes("node_modules"));
}

test("startTelemetry() loads no module of OpenTelemetry if all telemetry is off", async () => {
  const off = await loadedModules(undefined);
  expect(off.filter((path) => path.includes("opentelemetry"))).toEqual([]);
  expect(off.some((path) => path.includes("/zod/"))).toBe(true); // loaded modules do show up
  const on = await loadedModules({
    ...{ traces: false, metrics: false, scrape: true },
    ...{ exportIntervalMs: 60_000, exportTimeoutMs: 30_000 },
  });
  expect(on.some((path) => path.includes("@opentelemetry/api/"))).toBe(true);
}, 30_000);

test("startTelemetry() returns one no-op object for all requests", async () => {
  const init = makeInit();
  const telemetry = await startTelemetry(undefined, init);
  expect(telemetry).toBe(NO_TELEMETRY);
  const report = telemetry.request(new Request("http://x/v1/models"), "/v1/models");
  expect(report).toBe(NO_REPORT);
  const backend = { name: "c", origin: "http://x", basePath: "" };
  const call = report.call(backend);
  expect(report.call(backend)).toBe(call);
  const headers = new Headers({ traceparent: "as it came", tracestate: "as it came" });
  call.trace(headers);
  expect(headers.get("traceparent")).toBe("as it came");
  expect(headers.get("tracestate")).toBe("as it came");
  expect(call.answered(new Response())).toBeUndefined();
  call.ended({ bytes: 0 }, undefined);
  call.failed(new Error("x"), undefined);
  report.named("m", true);
  report.retry("x");
  report.decided("load");
  report.failover("x", "c");
  report.answered(200, undefined);
  telemetry.tableUpdated("admit");
  expect(telemetry.scrape).toBeUndefined();
  await telemetry.shutdown();
});

test("startTelemetry() creates telemetry if something is on", async () => {
  const init = makeInit();
  const { settings } = readTelemetrySettings({}, true);
  const telemetry = await startTelemetry(settings, init);
  expect(await telemetry.scrape?.()).toContain("proxy_backends_active");
  await telemetry.shutdown();
});
