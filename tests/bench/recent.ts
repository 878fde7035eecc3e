/**
 * The cost of counting recent requests, without HTTP: `bun tests/bench/recent.ts`. Each turn runs the reports
 * of one request through their life, with and without the counts. It prints the least time of a request over
 * all turns.
 */
import { Recent } from "../../src/telemetry/recent.ts";
import { NO_TELEMETRY, type Telemetry } from "../../src/telemetry/telemetry.ts";

const [TURNS, REQUESTS] = [30, 20_000];
const BACKEND = {
  ...{ name: "vllm-1", origin: "http://10.0.0.1:8000", basePath: "/v1" },
  run: { source: "docker", id: "0123456789abcdef" },
};
const PATH = "/v1/chat/completions";
const ANSWER = JSON.stringify({
  id: "chatcmpl-123",
  object: "chat.completion",
  created: 1_795_000_000,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello!" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 },
});
const LAST = [
  `data: ${JSON.stringify({ id: "chatcmpl-123", choices: [], usage: { prompt_tokens: 9, completion_tokens: 12 } })}\n\n`,
  "data: [DONE]\n\n",
];

type Kind = { readonly type: string; readonly isStream: boolean; readonly last: readonly string[] };

const KINDS: Readonly<Record<string, Kind>> = {
  "JSON of 260 bytes": { type: "application/json", isStream: false, last: [ANSWER] },
  "JSON without usage": { type: "application/json", isStream: false, last: ['{"data":[1,2,3]}'] },
  "an event stream": { type: "text/event-stream", isStream: true, last: LAST },
};

function turn(telemetry: Telemetry, { type, isStream, last }: Kind): number {
  const request = new Request(`http://x${PATH}`, { method: "POST" });
  const upstream = new Response("", { headers: { "content-type": type } });
  const lastPieces = last.map((text) => Buffer.from(text));
  const startNs = Bun.nanoseconds();
  for (let n = 0; n < REQUESTS; n += 1) {
    const report = telemetry.request(request, PATH);
    report.named("m", true);
    const call = report.call(BACKEND);
    call.answered(upstream);
    if (isStream) call.began();
    const end = isStream ? { bytes: 100, pieces: 50 } : { bytes: 100 };
    call.ended(call.keepsPieces ? { ...end, lastPieces } : end, undefined);
  }
  return (Bun.nanoseconds() - startNs) / REQUESTS;
}

const counting = new Recent().counting(NO_TELEMETRY);
for (const [name, kind] of Object.entries(KINDS)) {
  const [off, on]: [number[], number[]] = [[], []];
  for (let n = 0; n < TURNS; n += 1) {
    off.push(turn(NO_TELEMETRY, kind));
    on.push(turn(counting, kind));
  }
  const [least, median] = [Math.min(...on), on.sort((a, b) => a - b)[TURNS / 2] ?? 0];
  process.stdout.write(
    `${name}: least ${least.toFixed(0)} ns, median ${median.toFixed(0)} ns; without counts ${Math.min(...off).toFixed(0)} ns\n`,
  );
}
