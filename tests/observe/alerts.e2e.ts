/** Each alert rule in the real promtool: when it fires and with which text, and when it does not fire. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ERRORS } from "../../src/proxy/own/errors.ts";
import {
  type AlertCase,
  complaint,
  runPromtool,
  type Series,
} from "../support/observe/promtool.ts";
import { ALERT_RULES, CONFIGURATION } from "../support/observe/rules.ts";

const PROXY = { job: "inference-proxy", instance: "proxy:8080" };
const UP = 'up{job="inference-proxy", instance="proxy:8080"}';
const BACKENDS = 'proxy_model_backends{job="inference-proxy", instance="proxy:8080", model="m"}';
const CRASH_LOOP =
  'proxy_container_crash_loop{job="inference-proxy", instance="proxy:8080", container_name="vllm-1"}';
const ENGINE = 'proxy_engine_connected{job="inference-proxy", instance="proxy:8080"}';

function requests(model: string, status: number): string {
  return `proxy_requests_total{model="${model}", status_code="${status}"}`;
}

function errors(model: string, type: string): string {
  return `proxy_request_errors_total{model="${model}", error_type="${type}"}`;
}

/** A number of streamed answers a minute. All of them begin within `begins` s. */
function firstChunks(perMinute: number, begins: 20 | 40): Series {
  const name = "gen_ai_client_operation_time_to_first_chunk";
  const labels = 'gen_ai_operation_name="chat", gen_ai_request_model="m"';
  const all = `0+${perMinute}x30`;
  return {
    [`${name}_bucket{${labels}, le="20"}`]: begins === 20 ? all : "0x30",
    [`${name}_bucket{${labels}, le="40"}`]: all,
    [`${name}_bucket{${labels}, le="+Inf"}`]: all,
    [`${name}_count{${labels}}`]: all,
  };
}

/** For each `error.code` of the proxy, a model of the same name. Half of its requests end with that code. */
const OF_EACH_CODE: Series = Object.fromEntries(
  Object.entries(ERRORS).flatMap(([code, { status }]) => [
    [requests(code, 200), "0+5x30"],
    [requests(code, status), "0+5x30"],
    [errors(code, code), "0+5x30"],
  ]),
);

const CASES: Readonly<Record<string, readonly AlertCase[]>> = {
  InferenceProxyDown: [
    ["2 minutes without an answer", { [UP]: "1 0x9" }, 4, [{ labels: PROXY }]],
    ["1 minute", { [UP]: "1 0x9" }, 2, []],
    ["another job", { 'up{job="inference-servers", instance="vllm-1"}': "0x9" }, 5, []],
  ],
  InferenceModelWithoutServer: [
    [
      "6 minutes without a server",
      { [BACKENDS]: "1 0x9" },
      7,
      [{ labels: { ...PROXY, model: "m" } }],
    ],
    ["4 minutes", { [BACKENDS]: "1 0x9" }, 5, []],
    ["a server that came back in between", { [BACKENDS]: "1 0 0 0 0 1 0 0 0" }, 8, []],
    ["a model that has left the list", { [BACKENDS]: "1 0x9 _x9" }, 18, []],
  ],
  InferenceContainerCrashLoop: [
    [
      "a crash loop",
      { [CRASH_LOOP]: "0 1x9" },
      3,
      [{ labels: { ...PROXY, container_name: "vllm-1" } }],
    ],
    ["none", { [CRASH_LOOP]: "0x9" }, 5, []],
    ["a crash loop that is over", { [CRASH_LOOP]: "0 1 1 0x9" }, 4, []],
  ],
  InferenceErrors: [
    [
      "one of ten is a 500 of the server",
      {
        [requests("m", 200)]: "0+9x30",
        [requests("m", 500)]: "0+1x30",
        [errors("m", "500")]: "0+1x30",
      },
      20,
      [{ labels: { model: "m" }, value: "10%" }],
    ],
    [
      "one of ten breaks off, but not with the other model",
      {
        [requests("m", 200)]: "0+10x30",
        [errors("m", "upstream_broken_off")]: "0+1x30",
        [requests("n", 200)]: "0+10x30",
      },
      20,
      [{ labels: { model: "m" }, value: "10%" }],
    ],
    [
      "two kinds of errors add up",
      {
        [requests("m", 200)]: "0+100x30",
        [errors("m", "container_oom")]: "0+4x30",
        [errors("m", "connection_reset")]: "0+4x30",
      },
      20,
      [{ labels: { model: "m" }, value: "8%" }],
    ],
    ["4 %", { [requests("m", 200)]: "0+100x30", [errors("m", "500")]: "0+4x30" }, 20, []],
    [
      "all requests, but only 10 in 10 minutes",
      { [requests("m", 500)]: "0+1x30", [errors("m", "500")]: "0+1x30" },
      20,
      [],
    ],
    [
      "one of two requests, but only for 5 minutes",
      { [requests("m", 200)]: "0 1x30", [errors("m", "500")]: "0 1x30" },
      5,
      [],
    ],
    [
      "faults of clients",
      {
        [requests("m", 404)]: "0+10x30",
        [errors("m", "404")]: "0+4x30",
        [errors("m", "client_gone")]: "0+4x30",
        [errors("m", "backend_saturated")]: "0+2x30",
      },
      20,
      [],
    ],
    [
      "a minute of errors long ago",
      { [requests("m", 500)]: "0 100 100x30", [errors("m", "500")]: "0 100 100x30" },
      20,
      [],
    ],
    [
      "exactly the error codes with a 5xx",
      OF_EACH_CODE,
      20,
      Object.entries(ERRORS)
        .filter(([, { status }]) => status >= 500)
        .map(([model]) => ({ labels: { model }, value: "50%" })),
    ],
  ],
  InferenceFirstTokenSlow: [
    [
      "all take between 20 and 40 s",
      firstChunks(2, 40),
      25,
      [{ labels: { gen_ai_request_model: "m" }, value: "39s" }],
    ],
    ["all take less than 20 s", firstChunks(100, 20), 25, []],
    ["too few answers", firstChunks(0.5, 40), 25, []],
  ],
  InferenceEngineLost: [
    ["3 minutes", { [ENGINE]: "1 0x9" }, 4, [{ labels: PROXY }]],
    ["1 minute", { [ENGINE]: "1 0x9" }, 2, []],
    ["heard again", { [ENGINE]: "1 0 0 1x9" }, 4, []],
  ],
};

describe("promtool accepts", () => {
  test("prometheus.yml", async () => {
    const { code, text } = await runPromtool(
      "check",
      "config",
      join(CONFIGURATION, "prometheus.yml"),
    );
    expect(text).toContain("SUCCESS");
    expect(code).toBe(0);
  });

  test("alerts.yml, without a warning", async () => {
    const file = join(CONFIGURATION, "alerts.yml");
    const { code, text } = await runPromtool("check", "rules", "--lint=all", "--lint-fatal", file);
    expect(text).toContain(`SUCCESS: ${ALERT_RULES.length} rules found`);
    expect(code).toBe(0);
  });
});

test("each alert has cases in which it fires, and cases in which it does not", () => {
  expect(Object.keys(CASES)).toEqual(ALERT_RULES.map(({ alert }) => alert));
  for (const cases of Object.values(CASES)) {
    const fires = cases.map(([, , , firing]) => firing.length > 0);
    expect(new Set(fires)).toEqual(new Set([true, false]));
  }
});

describe.each(Object.entries(CASES))("%s", (name, cases) => {
  test.each(cases.map((one) => [one[0], one] as const))("%s", async (_what, one) => {
    expect(await complaint(name, one)).toBe("");
  });
});

test("promtool reports an alert that is not as expected", async () => {
  const expectedToFire: AlertCase = ["", { [UP]: "1x9" }, 4, [{ labels: PROXY }]];
  expect(await complaint("InferenceProxyDown", expectedToFire)).toContain("FAILED");
});
