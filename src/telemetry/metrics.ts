/**
 * The metrics: names, units, labels and boundaries. The proxy's own first, then those of OpenTelemetry's
 * conventions. Records nothing.
 */

type Metric = {
  readonly name: string;
  /** In UCUM, as OpenTelemetry writes units. */
  readonly unit: string;
  readonly labels: readonly string[];
  readonly description: string;
  /** Upper ends of a histogram's buckets. */
  readonly boundaries?: readonly number[];
};

/** The conventions' list for HTTP, with more at its end for long answers. */
const REQUEST_S = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 300, 600,
];
/** The conventions' list for generative AI, with more at its end for a long prompt on a slow machine. */
const FIRST_CHUNK_S = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160,
];
const PER_CHUNK_S = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10, 20,
  40, 80, 160,
];
/** From a moment without room to a model that loads for minutes. */
const WAIT_S = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300,
  420, 600,
];
/** The conventions' list: powers of 4. */
const TOKENS = [
  1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
];

const MODEL = "model";
const CONTAINER = "container.name";
const ERROR_TYPE = "error.type";
const GEN_AI = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"];

export const METRICS = {
  requests: {
    name: "proxy.requests.total",
    unit: "{request}",
    labels: [MODEL, "status_code"],
    description: "Requests that have ended",
  },
  errors: {
    name: "proxy.request.errors",
    unit: "{request}",
    labels: [MODEL, ERROR_TYPE],
    description: "Requests that have ended with an error, whoever is at fault",
  },
  duration: {
    name: "proxy.request.duration",
    unit: "s",
    labels: [MODEL],
    description: "From the request to the end of its answer's body, but for WebSockets",
    boundaries: REQUEST_S,
  },
  inflight: {
    name: "proxy.backend.inflight",
    unit: "{request}",
    labels: [MODEL],
    description: "Requests that are with a backend",
  },
  websockets: {
    name: "proxy.websockets.active",
    unit: "{websocket}",
    labels: [MODEL],
    description: "WebSockets that are open",
  },
  backends: {
    name: "proxy.backends.active",
    unit: "{backend}",
    labels: [],
    description: "Backends that take new requests",
  },
  modelBackends: {
    name: "proxy.model.backends",
    unit: "{backend}",
    labels: [MODEL],
    description: "Backends that take requests for a model; 0 for a day after the last has gone",
  },
  decisions: {
    name: "proxy.route.decisions",
    unit: "{request}",
    labels: [MODEL, "reason"],
    description: "Requests that replicas got, by the reason why it was this one",
  },
  load: {
    name: "proxy.backend.load",
    unit: "{request}",
    labels: [CONTAINER],
    description: "Requests with a replica, and the prompts it has not begun to answer, in 8 KiB",
  },
  containerState: {
    name: "proxy.container.state",
    unit: "{container}",
    labels: [CONTAINER, "state"],
    description: "1 for the state that a labelled container is in",
  },
  crashLoop: {
    name: "proxy.container.crash_loop",
    unit: "{container}",
    labels: [CONTAINER],
    description: "1 while a container ends again and again before it is healthy, else 0",
  },
  engineConnected: {
    name: "proxy.engine.connected",
    unit: "1",
    labels: [],
    description: "1 while the engine can be reached, else 0",
  },
  waiting: {
    name: "proxy.requests.waiting",
    unit: "{request}",
    labels: [MODEL],
    description: "Requests that wait for their model",
  },
  waitDuration: {
    name: "proxy.wait.duration",
    unit: "s",
    labels: [MODEL, "outcome"],
    description: "How long requests have waited for their model, by how that ended",
    boundaries: WAIT_S,
  },
  tableUpdates: {
    name: "proxy.routing_table.updates",
    unit: "{update}",
    labels: ["action"],
    description: "Changes of the routing table",
  },
  activeRequests: {
    name: "http.server.active_requests",
    unit: "{request}",
    labels: ["http.request.method", "url.scheme"],
    description: "Requests under way",
  },
  firstChunk: {
    name: "gen_ai.client.operation.time_to_first_chunk",
    unit: "s",
    labels: GEN_AI,
    description: "From the request to a backend to the first piece of its streamed answer",
    boundaries: FIRST_CHUNK_S,
  },
  perChunk: {
    name: "gen_ai.client.operation.time_per_output_chunk",
    unit: "s",
    labels: GEN_AI,
    description: "From one piece of a streamed answer to the next",
    boundaries: PER_CHUNK_S,
  },
  tokens: {
    name: "gen_ai.client.token.usage",
    unit: "{token}",
    labels: [...GEN_AI, "gen_ai.token.type"],
    description: "Tokens of an answer, where it says so",
    boundaries: TOKENS,
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** The most series of one metric. Further ones go into one series labelled `otel.metric.overflow`. */
export const SERIES_MAX = 1_000;
