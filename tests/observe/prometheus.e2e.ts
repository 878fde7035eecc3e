/**
 * The real Prometheus with the unchanged files of deploy/prometheus, except for the proxy's address and 1 s
 * instead of 15 s. It scrapes the compiled proxy under load, and the two stand-in servers that the proxy lists.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerStatus } from "../../src/status.ts";
import type { Dashboard } from "../support/grafana.ts";
import { sentQueries } from "../support/observe/dashboard.ts";
import { startLoad } from "../support/observe/load.ts";
import { type Prometheus, startPrometheus } from "../support/observe/prometheus.ts";
import { ALERT_RULES } from "../support/observe/rules.ts";
import {
  MODEL,
  type ObservedStage,
  SERVERS,
  startObservedStage,
} from "../support/observe/stage.ts";
import { expectNever, until } from "../support/until.ts";

const DASHBOARD = join(import.meta.dir, "../../deploy/grafana/dashboard.json");
/** A scrape and a rule each take up to 1 s, and the machine may be busy. */
const SEEN_MS = 20_000;
/** The test repeats each query for this time, ms. */
const LOADED_MS = 60_000;

let stage: ObservedStage;
let prometheus: Prometheus;

beforeAll(async () => {
  stage = await startObservedStage();
  prometheus = await startPrometheus(stage.address);
});

afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

/** The names of the scraped servers, and whether the scrapes succeed. */
async function scrapedServers(): Promise<string> {
  const targets = await prometheus.targets("inference-servers");
  return targets
    .map(({ labels, health }) => `${labels["container_name"]} ${health}`)
    .sort()
    .join();
}

function untilServers(...names: readonly string[]): Promise<void> {
  const wanted = names
    .map((name) => `${name} up`)
    .sort()
    .join();
  return until(`[${wanted}] are scraped`, async () => (await scrapedServers()) === wanted, SEEN_MS);
}

async function untilValue(query: string, value: number): Promise<void> {
  const seen = async (): Promise<boolean> => (await prometheus.query(query))[0]?.value === value;
  await until(`${query} is ${value}`, seen, SEEN_MS);
}

describe("the configuration of deploy/prometheus", () => {
  test("scrapes the proxy, and the servers that the proxy lists", async () => {
    await untilServers(SERVERS.vllm, SERVERS.sglang);
    const targets = await prometheus.targets("inference-servers");
    const { containers } = (await fetch(`${stage.proxy.origin}/status`).then((answer) =>
      answer.json(),
    )) as { readonly containers: readonly ContainerStatus[] };
    for (const { name, address } of containers) {
      const target = targets.find(({ labels }) => labels["container_name"] === name);
      expect(target?.scrapeUrl).toBe(`${address}/metrics`);
      expect(target?.labels).toEqual({
        ...{ job: "inference-servers", container_name: name, instance: name, model: MODEL },
      });
    }
    await untilValue('up{job="inference-proxy"}', 1);
    const [sample] = await prometheus.query("vllm:kv_cache_usage_perc");
    expect(sample?.labels).toMatchObject({ container_name: SERVERS.vllm, model_name: MODEL });
  });

  test("has rules that Prometheus evaluates without an error, and no alert fires yet", async () => {
    const evaluated = async (): Promise<boolean> =>
      Object.values(await prometheus.rules()).every((health) => health !== "unknown");
    await until("Prometheus has evaluated all rules", evaluated, SEEN_MS);
    const rules = await prometheus.rules();
    expect(Object.keys(rules)).toEqual(ALERT_RULES.map(({ alert }) => alert));
    expect(new Set(Object.values(rules))).toEqual(new Set(["ok"]));
    expect(await prometheus.query("ALERTS")).toEqual([]);
  });
});

describe("under load", () => {
  let load: AsyncDisposable;

  beforeAll(() => {
    load = startLoad(stage);
  });

  afterAll(() => load[Symbol.asyncDispose]());

  test("every query of the dashboard returns data", async () => {
    const queries = sentQueries(JSON.parse(readFileSync(DASHBOARD, "utf8")) as Dashboard);
    expect(queries.length).toBeGreaterThan(40);
    const empty = new Set(queries);
    const deadline = performance.now() + LOADED_MS;
    while (empty.size > 0 && performance.now() < deadline) {
      for (const one of empty) {
        const samples = await prometheus.query(one.query);
        if (samples.some(({ value }) => !Number.isNaN(value))) empty.delete(one);
      }
    }
    expect([...empty]).toEqual([]);
  });

  test.each([
    `proxy_requests_total{model="${MODEL}"}`,
    `proxy_request_errors_total{model="${MODEL}", error_type="500"}`,
    'proxy_request_errors_total{model="unknown", error_type="model_not_found"}',
    `gen_ai_client_operation_time_to_first_chunk_bucket{gen_ai_request_model="${MODEL}", le="40"}`,
    `gen_ai_client_operation_time_to_first_chunk_count{gen_ai_request_model="${MODEL}"}`,
    `proxy_container_crash_loop{container_name="${SERVERS.vllm}"}`,
  ])("the data of the alerts exists: %s", async (query) => {
    await until(
      "the query returns data",
      async () => (await prometheus.query(query)).length > 0,
      SEEN_MS,
    );
  });
});

describe("as servers come and go", () => {
  const backends = `proxy_model_backends{model="${MODEL}"}`;

  test("the targets follow, and a model without a server stays visible", async () => {
    await untilServers(SERVERS.vllm, SERVERS.sglang);
    await untilValue(backends, 2);
    stage.stopContainer("sglang");
    await untilServers(SERVERS.vllm);
    await untilValue(backends, 1);
    stage.stopContainer("vllm");
    await untilServers();
    await untilValue(backends, 0);
    await untilValue(`proxy_container_state{container_name="${SERVERS.vllm}", state="stopped"}`, 1);
    // The series of the old state is gone.
    await untilValue(`count(proxy_container_state{container_name="${SERVERS.vllm}"})`, 1);
    const pending = `ALERTS{alertname="InferenceModelWithoutServer", model="${MODEL}", alertstate="pending"}`;
    await untilValue(pending, 1);
    stage.startContainer("vllm");
    stage.startContainer("sglang");
    await untilServers(SERVERS.vllm, SERVERS.sglang);
    await untilValue(backends, 2);
  });

  test("the targets stay while the proxy has lost the engine", async () => {
    await untilServers(SERVERS.vllm, SERVERS.sglang);
    await untilValue("proxy_engine_connected", 1);
    stage.engine.stop();
    await untilValue("proxy_engine_connected", 0);
    const lost = await fetch(`${stage.proxy.origin}/sd/prometheus`);
    expect(lost.status).toBe(503);
    const failures = (): Promise<number> => prometheus.own("prometheus_sd_http_failures_total");
    const before = await failures();
    await until(
      "the proxy has tried twice and failed",
      async () => (await failures()) >= before + 2,
      SEEN_MS,
    );
    const both = [SERVERS.sglang, SERVERS.vllm].map((name) => `${name} up`).join();
    await expectNever("a target is gone", async () => (await scrapedServers()) !== both, 2_000);
    await stage.engine.start();
    await untilValue("proxy_engine_connected", 1);
    await untilServers(SERVERS.vllm, SERVERS.sglang);
  });
});
