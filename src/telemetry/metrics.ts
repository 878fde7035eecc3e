/**
 * The metrics: names, units, labels and boundaries. The proxy's own metrics come first, then the ones from
 * OpenTelemetry's conventions. Records nothing.
 */

type Metric = {
  readonly name: string;
  /** In UCUM, the notation that OpenTelemetry uses for units. */
  readonly unit: string;
  readonly labels: readonly string[];
  readonly description: string;
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[];
};

/** The list of the HTTP conventions, extended for long answers. */
const REQUEST_S = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 300, 600,
];
/** The list of the generative AI conventions, extended for long prompts on slow machines. */
const FIRST_CHUNK_S = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160,
];
const PER_CHUNK_S = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10, 20,
  40, 80, 160,
];
/** From a short moment without room to a model that loads for minutes. */
const WAIT_S = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300,
  420, 600,
];
/** The list of the conventions: powers of 4. */
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
    description: "Requests that have ended with an error of the client, the proxy or a backend",
  },
  duration: {
    name: "proxy.request.duration",
    unit: "s",
    labels: [MODEL],
    description: "Time from the request to the end of the answer, without WebSockets",
    boundaries: REQUEST_S,
  },
  inflight: {
    name: "proxy.backend.inflight",
    unit: "{request}",
    labels: [MODEL],
    description: "Requests that a backend is working on",
  },
  websockets: {
    name: "proxy.websockets.active",
    unit: "{websocket}",
    labels: [MODEL],
    description: "Open WebSockets",
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
    description: "Backends that take requests for a model; 0 for a day after the last one is gone",
  },
  decisions: {
    name: "proxy.route.decisions",
    unit: "{request}",
    labels: [MODEL, "reason"],
    description: "Requests to replicas, by the reason for choosing the replica",
  },
  load: {
    name: "proxy.backend.load",
    unit: "{request}",
    labels: [CONTAINER],
    description: "Requests in flight of a replica, plus unanswered prompts in units of 8 KiB",
  },
  containerState: {
    name: "proxy.container.state",
    unit: "{container}",
    labels: [CONTAINER, "state"],
    description: "1 for the current state of a labelled container",
  },
  crashLoop: {
    name: "proxy.container.crash_loop",
    unit: "{container}",
    labels: [CONTAINER],
    description: "1 while a container ends repeatedly before it is healthy, otherwise 0",
  },
  engineConnected: {
    name: "proxy.engine.connected",
    unit: "1",
    labels: [],
    description: "1 while the proxy is connected to the engine, otherwise 0",
  },
  waiting: {
    name: "proxy.requests.waiting",
    unit: "{request}",
    labels: [MODEL],
    description: "Requests that wait for a backend",
  },
  waitDuration: {
    name: "proxy.wait.duration",
    unit: "s",
    labels: [MODEL, "outcome"],
    description: "How long requests waited for a backend, by the way the wait ended",
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
    description: "Requests in progress",
  },
  firstChunk: {
    name: "gen_ai.client.operation.time_to_first_chunk",
    unit: "s",
    labels: GEN_AI,
    description: "Time from the request to a backend to the first piece of its streamed answer",
    boundaries: FIRST_CHUNK_S,
  },
  perChunk: {
    name: "gen_ai.client.operation.time_per_output_chunk",
    unit: "s",
    labels: GEN_AI,
    description: "Time between two pieces of a streamed answer",
    boundaries: PER_CHUNK_S,
  },
  tokens: {
    name: "gen_ai.client.token.usage",
    unit: "{token}",
    labels: [...GEN_AI, "gen_ai.token.type"],
    description: "Tokens of an answer, if it reports them",
    boundaries: TOKENS,
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** The most series of one metric. All others share one series with the label `otel.metric.overflow`. */
export const SERIES_MAX = 1_000;
