/**
 * The engine's /metrics for Prometheus: a few metrics of vLLM and of SGLang, with their names and labels.
 * Sources: https://docs.vllm.ai/en/stable/usage/metrics/,
 * https://docs.sglang.io/docs/references/production_metrics
 */

/** The stand-in has the metrics of this engine. */
export type EngineKind = "vllm" | "sglang";

type Gauge = { readonly name: string; readonly help: string; readonly value: number };

/** The available values. In a stand-in no request ever waits, and it has no cache. */
type Figures = { readonly running: number };

const CACHE_USED = 0.25;

/** Labels besides `model_name`. */
const LABELS: Readonly<Record<EngineKind, string>> = {
  vllm: 'engine="0"',
  sglang: 'engine_type="unified",moe_ep_rank="0",pp_rank="0",tp_rank="0"',
};

const GAUGES: Readonly<Record<EngineKind, (figures: Figures) => readonly Gauge[]>> = {
  vllm: ({ running }) => [
    {
      name: "vllm:num_requests_running",
      help: "Requests in model execution batches",
      value: running,
    },
    { name: "vllm:num_requests_waiting", help: "Requests waiting to be processed", value: 0 },
    { name: "vllm:kv_cache_usage_perc", help: "KV cache used; 1 is all of it", value: CACHE_USED },
  ],
  sglang: ({ running }) => [
    { name: "sglang:num_running_reqs", help: "The number of running requests", value: running },
    { name: "sglang:num_queue_reqs", help: "The number of requests in the queue", value: 0 },
    { name: "sglang:token_usage", help: "The token usage", value: CACHE_USED },
  ],
};

/** In Prometheus' text format 0.0.4. */
export function engineMetrics(kind: EngineKind, model: string, figures: Figures): string {
  const labels = `${LABELS[kind]},model_name=${JSON.stringify(model)}`;
  const lines = GAUGES[kind](figures).flatMap(({ name, help, value }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name}{${labels}} ${value}`,
  ]);
  return `${lines.join("\n")}\n`;
}
