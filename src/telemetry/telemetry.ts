/**
 * The interface between telemetry and the rest of the program. With telemetry off, all requests share the
 * no-op object below, so it costs nothing. Imports nothing from OpenTelemetry. All calls are fast and never
 * throw or wait.
 */

/** How the run of a backend ended: see `RunEnd` in routing/. */
export type ReportedRunEnd = {
  readonly kind: "out of memory" | "exited" | "stopped" | "killed" | "unknown";
  /** Continues a sentence that begins with the container: `ran out of memory (exit code 137)`. */
  readonly reason: string;
};

/** The end of a backend's run, if known: see `Ending` in routing/. */
export type ReportedEnding = {
  readonly end: ReportedRunEnd | undefined;
  readonly known: (ms: number) => Promise<ReportedRunEnd | undefined>;
};

/** A server of a source: see `Server` in routing/. */
export type ReportedServer = { readonly source: string; readonly id: string };

/** The backend of a report. */
export type ReportedBackend = {
  readonly name: string;
  /** The server of the run. */
  readonly run?: ReportedServer;
  /** `http://host:port` without a path. */
  readonly origin: string;
  readonly basePath: string;
  readonly ending?: ReportedEnding;
};

/** The load of a replica. */
export type BackendLoad = {
  readonly name: string;
  /** Requests in flight, plus the prompts that it has not begun to answer in units of 8 KiB. */
  readonly load: number;
};

/** Why a replica gets a request: see `Decision` in routing/. */
export type RouteReason = "prefix" | "load" | "only" | "failover";

/** How the wait of a request for its model ended. */
export type WaitOutcome =
  /** A backend got it. */
  | "routed"
  /** The time was up. */
  | "timeout"
  /** No backend will come, or the proxy stops. */
  | "gone"
  | "client_gone";

/** How a request to a backend ended. */
export type CallEnd = {
  /** How many bytes of the answer's body arrived. */
  readonly bytes: number;
  /** How many pieces the proxy passed on one by one; 0 if it read the body as a whole. */
  readonly pieces?: number;
  /** The last pieces, or the whole body; only if the report keeps them: see `CallReport.keepsPieces`. */
  readonly lastPieces?: readonly Uint8Array[];
  readonly firstPiece?: Uint8Array | undefined;
  /** Set if the server broke off or never answered. */
  readonly error?: unknown;
  /** Set if the client left before the end of the answer. */
  readonly cancelled?: true;
};

/** The traffic of a WebSocket in one direction. */
export type Passed = {
  readonly messages: number;
  /** The bytes of the messages, without framing. */
  readonly bytes: number;
};

/** How a WebSocket ended. */
export type SocketEnd = {
  readonly fromClient: Passed;
  readonly fromServer: Passed;
  /** The code of its Close frame; 1005 for a frame without a code, 1006 without a frame (RFC 6455 §7.4.1). */
  readonly closeCode: number;
  /** Set if the server broke off. */
  readonly error?: unknown;
  /** Set if the client left without a Close frame. */
  readonly cancelled?: true;
};

/** One request to a backend. */
export type CallReport = {
  /** Replaces the client's trace headers with ours, so that the spans of the backend join our trace. */
  readonly trace: (headers: Headers) => void;
  /** @returns a function to call with each piece of the answer's body; undefined if there is no need */
  readonly answered: (upstream: Response) => ((piece: Uint8Array) => void) | undefined;
  /** Valid after `answered`. True if `ended` needs the first piece and the last pieces of the body. */
  readonly keepsPieces: boolean;
  /** The first piece of the body has arrived. The proxy will pass on all pieces one by one. */
  readonly began: () => void;
  /** The answer's body has ended, complete or not. Ends the report of the whole request. */
  readonly ended: (end: CallEnd, abortReason: string | undefined) => void;
  /**
   * The backend has answered a WebSocket handshake with 101: the call is over, the request is not.
   *
   * @returns a function to call when the WebSocket has ended. Only the first call counts. It ends the report
   *   of the whole request.
   */
  readonly upgraded: () => (end: SocketEnd, abortReason: string | undefined) => void;
  /** The call got no answer. Another call or an answer of the proxy may follow. */
  readonly failed: (error: unknown, abortReason: string | undefined) => void;
};

/** One request of a client. */
export type RequestReport = {
  /** Sets the model of the request. In metrics, all unknown models share one label. */
  readonly named: (model: string, isKnown: boolean) => void;
  readonly call: (backend: ReportedBackend) => CallReport;
  /** Another call follows, because the last one failed for this reason. */
  readonly retry: (reason: string) => void;
  /**
   * The request begins to wait for its model.
   *
   * @returns a function to call once, when the wait has ended
   */
  readonly waits: () => (outcome: WaitOutcome) => void;
  /** The proxy chose a replica: the next call goes there. */
  readonly decided: (reason: RouteReason) => void;
  /** The proxy tries another replica, because the container `from` failed the request for this reason. */
  readonly failover: (reason: string, from: string) => void;
  /**
   * The proxy answers itself, or passes on the earlier answer of a backend after another backend failed. Ends
   * the report.
   *
   * @param code the error code of the proxy, if the answer is its own error
   */
  readonly answered: (status: number, code: string | undefined) => void;
};

/** The kinds of changes of the routing table. */
export const TABLE_UPDATES = ["admit", "replace models", "drain", "remove"] as const;
type TableUpdate = (typeof TABLE_UPDATES)[number];

export type Telemetry = {
  /** @param path the path as the client sent it */
  readonly request: (request: Request, path: string) => RequestReport;
  readonly tableUpdated: (update: TableUpdate) => void;
  /** Returns the metrics in Prometheus' text format; undefined if /metrics is off. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Sends all queued data. Takes at most 5 s and never rejects. */
  readonly shutdown: () => Promise<void>;
};

const NO_SOCKET = (): void => undefined;

const NO_CALL: CallReport = {
  trace: () => undefined,
  answered: () => undefined,
  keepsPieces: false,
  began: () => undefined,
  ended: () => undefined,
  upgraded: () => NO_SOCKET,
  failed: () => undefined,
};

const NO_WAIT = (): void => undefined;

export const NO_REPORT: RequestReport = {
  named: () => undefined,
  call: () => NO_CALL,
  retry: () => undefined,
  waits: () => NO_WAIT,
  decided: () => undefined,
  failover: () => undefined,
  answered: () => undefined,
};

export const NO_TELEMETRY: Telemetry = {
  request: () => NO_REPORT,
  tableUpdated: () => undefined,
  scrape: undefined,
  shutdown: () => Promise.resolve(),
};
