/**
 * The types by which the proxy and the fleet report: all that they see of telemetry. With telemetry off they
 * get the no-op below, one object for all requests, so that it costs nothing. Imports nothing of OpenTelemetry.
 * All calls are quick; none throws or waits.
 */

/** How the run of a backend has ended: see `RunEnd` in routing/. */
export type ReportedRunEnd = {
  readonly kind: "out of memory" | "exited" | "stopped" | "killed" | "unknown";
  /** Goes on after the container: `ran out of memory (exit code 137)`. */
  readonly reason: string;
};

/** What is known of the end of the run of a backend: see `Ending` in routing/. */
export type ReportedEnding = {
  readonly end: ReportedRunEnd | undefined;
  readonly known: (ms: number) => Promise<ReportedRunEnd | undefined>;
};

/** A server, as its source knows it: see `Server` in routing/. */
export type ReportedServer = { readonly source: string; readonly id: string };

/** What is reported of a backend. */
export type ReportedBackend = {
  readonly name: string;
  /** Which server it is one run of. */
  readonly run?: ReportedServer;
  /** `http://host:port` without a path. */
  readonly origin: string;
  readonly basePath: string;
  readonly ending?: ReportedEnding;
};

/** How busy a backend is whose requests others share. */
export type BackendLoad = {
  readonly name: string;
  /** Requests in flight, and the prompts that it has not begun to answer, in units of 8 KiB. */
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
  /** Nobody will come, or the proxy is being stopped. */
  | "gone"
  | "client_gone";

/** How a request to a backend ended. */
export type CallEnd = {
  /** How many bytes of the answer's body came. */
  readonly bytes: number;
  /** How many pieces of it were passed on one by one; 0 if it was read whole. */
  readonly pieces?: number;
  /** The last of these pieces, or the whole; only if the report keeps them: see `CallReport.keepsPieces`. */
  readonly lastPieces?: readonly Uint8Array[];
  readonly firstPiece?: Uint8Array | undefined;
  /** Set if the upstream broke off, or never answered. */
  readonly error?: unknown;
  /** Set if the client left while the answer was under way. */
  readonly cancelled?: true;
};

/** What has passed over a WebSocket in one direction. */
export type Passed = {
  readonly messages: number;
  /** Of the messages themselves, without the framing. */
  readonly bytes: number;
};

/** How a WebSocket ended. */
export type SocketEnd = {
  readonly fromClient: Passed;
  readonly fromServer: Passed;
  /** Of the Close frame that ended it; 1005 if that had none, 1006 if there was no Close frame (RFC 6455 §7.4.1). */
  readonly closeCode: number;
  /** Set if the server broke off. */
  readonly error?: unknown;
  /** Set if the client left without a Close frame. */
  readonly cancelled?: true;
};

/** One request to a backend. */
export type CallReport = {
  /** Replaces the client's trace headers by ours, so that the backend's spans join our trace. */
  readonly trace: (headers: Headers) => void;
  /** @returns a function that must see each piece of the answer's body as it passes; undefined: none must */
  readonly answered: (upstream: Response) => ((piece: Uint8Array) => void) | undefined;
  /** True, after `answered`, if `ended` is to be shown the first piece of the body and the last ones. */
  readonly keepsPieces: boolean;
  /** The first piece of the body has come, and the others will be passed on one by one too. */
  readonly began: () => void;
  /** The answer's body has ended, completely or not. Ends the report of the whole request. */
  readonly ended: (end: CallEnd, abortReason: string | undefined) => void;
  /**
   * The backend has answered a WebSocket handshake with 101: the call is over, the request is not.
   *
   * @returns a function to be called when the WebSocket has ended: only the first call counts. Ends the report of the whole request
   */
  readonly upgraded: () => (end: SocketEnd, abortReason: string | undefined) => void;
  /** There was no answer. Another call, or an answer of the proxy's own, may follow. */
  readonly failed: (error: unknown, abortReason: string | undefined) => void;
};

/** One request of a client. */
export type RequestReport = {
  /** Names the model that the request is for. Metrics tell known models apart; all others are one. */
  readonly named: (model: string, isKnown: boolean) => void;
  readonly call: (backend: ReportedBackend) => CallReport;
  /** Another call follows, because the last one failed for this reason. */
  readonly retry: (reason: string) => void;
  /**
   * The request begins to wait for its model.
   *
   * @returns a function to be called once, when the wait has ended
   */
  readonly waits: () => (outcome: WaitOutcome) => void;
  /** A replica gets the request: the next call is to it. */
  readonly decided: (reason: RouteReason) => void;
  /** Another replica is asked, because the container `from` has failed the request for this reason. */
  readonly failover: (reason: string, from: string) => void;
  /**
   * The proxy answers itself, or with what a backend has answered before another one failed. Ends the report.
   *
   * @param code names the error if it is one of the proxy's own
   */
  readonly answered: (status: number, code: string | undefined) => void;
};

/** What can happen to the routing table. */
export const TABLE_UPDATES = ["admit", "replace models", "drain", "remove"] as const;
type TableUpdate = (typeof TABLE_UPDATES)[number];

export type Telemetry = {
  /** @param path of the request, as the client sent it */
  readonly request: (request: Request, path: string) => RequestReport;
  readonly tableUpdated: (update: TableUpdate) => void;
  /** Gives the metrics in Prometheus' text format; undefined if /metrics is off. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Sends everything queued. Takes 5 s at most and never rejects. */
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
