/** A made-up host with eight containers, some unhealthy. For screenshots, and for tests of a full page. */
import type { Change, ContainerStatus, ModelStatus, Status } from "../../../src/status.ts";
import {
  change,
  container,
  HOUR,
  MINUTE,
  model,
  quietStatus,
  recent,
  SECOND,
  timeAgo,
  waves,
} from "./made-up-status.ts";

const QWEN = "Qwen/Qwen3-32B-AWQ";
const LLAMA = "meta-llama/Llama-3.3-70B-Instruct";

export function busyStatus(init: Partial<Status> = {}): Status {
  return quietStatus({
    in_flight: 23,
    containers: containers(),
    models: models(),
    recent: recent(waves(2, 52), {
      errors: { backend_unreachable: 3, client_gone: 2 },
      first_chunk_ms: { p50: 240, p95: 1_900 },
      pieces_per_second: 51.3,
      tokens_per_second: 53.7,
      input_tokens: 1_284_000,
      output_tokens: 212_400,
    }),
    changes: changes(),
    ...init,
  });
}

function containers(): readonly ContainerStatus[] {
  const replica = { models: [QWEN], max_in_flight: 16 };
  return [
    container({
      name: "embed-tei",
      models: ["BAAI/bge-m3"],
      recent: recent(waves(5, 20)),
      in_flight: 1,
    }),
    container({
      name: "llama-70b",
      models: [LLAMA],
      in_flight: 6,
      reason: "healthy; the label inference.models names its models",
      last_exit: {
        reason: "ran out of memory (exit code 137)",
        at: timeAgo(3 * HOUR + 15 * MINUTE),
      },
    }),
    container({
      name: "llama-70b-next",
      state: "reading_models",
      reason: "503 Service Unavailable – the server is still loading its model",
      since: timeAgo(80 * SECOND),
      address: null,
    }),
    container({
      name: "ollama",
      models: ["gemma3:4b", "llama3.2:3b", "nomic-embed-text:latest", "qwen3:8b", "phi4:14b"],
      in_flight: 0,
    }),
    container({
      name: "qwen-gpu-0",
      ...replica,
      in_flight: 9,
      load: 10.4,
      requests_last_minute: { prefix: 31, load: 12, only: 0, failover: 1 },
      reason: "healthy; shares the requests for model Qwen/Qwen3-32B-AWQ with qwen-gpu-1",
      recent: recent(waves(3, 24), {
        errors: { client_gone: 2 },
        first_chunk_ms: { p50: 210, p95: 940 },
        pieces_per_second: 48.2,
        tokens_per_second: 49.9,
        input_tokens: 512_000,
        output_tokens: 90_100,
      }),
    }),
    container({
      name: "qwen-gpu-1",
      ...replica,
      in_flight: 7,
      load: 7.2,
      requests_last_minute: { prefix: 24, load: 15, only: 0, failover: 0 },
      reason: "healthy; shares the requests for model Qwen/Qwen3-32B-AWQ with qwen-gpu-0",
    }),
    container({
      name: "whisper",
      state: "restarting",
      reason:
        "ended 5 times in 10 min; last: exit code 1 after 9 s; it crashes again and again, so no request waits for it; look at docker logs whisper",
      since: timeAgo(42 * SECOND),
      crash_loop: true,
      address: null,
      last_exit: { reason: "exited with code 1", at: timeAgo(42 * SECOND) },
    }),
    container({
      name: "vllm-old",
      state: "unhealthy",
      reason: "its health check fails: curl: (28) Operation timed out after 10001 milliseconds",
      since: timeAgo(6 * MINUTE),
    }),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function models(): readonly ModelStatus[] {
  return [
    model({
      id: "BAAI/bge-m3",
      in_flight: 1,
      servers: [{ container: "embed-tei", gets: "all" }],
      recent: recent(waves(5, 20), { input_tokens: 88_000 }),
    }),
    model({ id: "gemma3:4b", servers: [{ container: "ollama", gets: "all" }] }),
    model({
      id: LLAMA,
      in_flight: 6,
      waiting: 2,
      servers: [
        { container: "llama-70b", gets: "all" },
        { container: "vllm-old", gets: "none" },
      ],
      recent: recent(waves(1, 9), {
        errors: { backend_unreachable: 3 },
        first_chunk_ms: { p50: 620, p95: 3_400 },
        pieces_per_second: 31.5,
        tokens_per_second: 32.8,
        input_tokens: 410_000,
        output_tokens: 61_200,
      }),
    }),
    model({ id: "nomic-embed-text:latest", servers: [{ container: "ollama", gets: "all" }] }),
    model({
      id: QWEN,
      in_flight: 16,
      servers: [
        { container: "qwen-gpu-1", gets: "shares" },
        { container: "qwen-gpu-0", gets: "shares" },
      ],
      recent: recent(waves(3, 24), {
        errors: { client_gone: 2 },
        first_chunk_ms: { p50: 210, p95: 940 },
        pieces_per_second: 48.2,
        tokens_per_second: 49.9,
        input_tokens: 786_000,
        output_tokens: 151_200,
      }),
    }),
    model({
      id: "qwen3:8b",
      servers: [{ container: "ollama", gets: "all" }],
      recent: recent([0, 1, 0, 0, 2, 1], {
        first_chunk_ms: { p50: 90, p95: 130 },
        pieces_per_second: 62,
      }),
    }),
    model({
      id: "whisper-large-v3",
      waiting: 1,
      recent: recent([1, 0, 0], { errors: { backend_unavailable: 1 } }),
    }),
  ];
}

function changes(): readonly Change[] {
  return [
    change({
      name: "whisper",
      state: "restarting",
      reason: "exited with code 1 after 9 s; the engine is restarting it",
      at: timeAgo(42 * SECOND),
      times: 5,
    }),
    change({
      name: "llama-70b-next",
      state: "reading_models",
      reason: "503 Service Unavailable – the server is still loading its model",
      at: timeAgo(80 * SECOND),
    }),
    change({
      name: "vllm-old",
      state: "unhealthy",
      reason: "its health check fails: curl: (28) Operation timed out after 10001 milliseconds",
      at: timeAgo(6 * MINUTE),
    }),
    change({
      name: "ollama",
      state: "models changed",
      reason: "added phi4:14b",
      at: timeAgo(HOUR),
    }),
    change({ name: "qwen-gpu-1", state: "routed", reason: "healthy", at: timeAgo(3 * HOUR) }),
    change({ name: "qwen-gpu-0", state: "routed", reason: "healthy", at: timeAgo(3 * HOUR) }),
    change({
      name: "llama-70b",
      state: "stopped",
      reason: "ran out of memory (exit code 137)",
      at: timeAgo(3 * HOUR + 15 * MINUTE),
    }),
    change({
      what: "engine",
      name: "unix:///var/run/docker.sock",
      state: "connected",
      at: timeAgo(3 * 24 * HOUR),
    }),
    change({
      what: "proxy",
      name: "lw-inference-proxy",
      state: "started",
      reason: "version 1.4.0",
      at: timeAgo(3 * 24 * HOUR),
    }),
  ];
}
