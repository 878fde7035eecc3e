/**
 * What is reported of requests and of the routing table, as a small type. With telemetry off the
 * no-op below is used: one object for all requests, so that off costs nothing; nothing of
 * OpenTelemetry is imported here. All calls are quick, and none throws or waits.
 */

/** A backend, as far as it is reported. */
export type ReportedBackend = {
  readonly name: string;
  /** `http://host:port` without a path. */
  readonly origin: string;
  readonly basePath: string;
};

/** How a request to a backend ended. */
export type CallEnd = {
  /** Of the answer's body, so far. */
  readonly bytes: number;
  /** Set if the upstream broke off, or has never answered. */
  readonly error?: unknown;
  /** Set if the client left while the answer was under way. */
  readonly cancelled?: true;
};

/** One request to a backend. */
export type CallReport = {
  /** Has the backend's own trace hang together with ours: replaces the client's trace headers. */
  readonly trace: (headers: Headers) => void;
  /** @returns what is to be shown each piece of the answer's body as it passes */
  readonly answered: (upstream: Response) => ((piece: Uint8Array) => void) | undefined;
  /** The answer's body has ended, one way or another: ends the report of the whole request. */
  readonly ended: (end: CallEnd, abortReason: string | undefined) => void;
  /** There is no answer; another call, or an answer of the proxy's own, may follow. */
  readonly failed: (error: unknown, abortReason: string | undefined) => void;
};

/** One request of a client. */
export type RequestReport = {
  /** The model it is for, and whether any server has or had it: others are not told apart in metrics. */
  readonly named: (model: string, isKnown: boolean) => void;
  readonly call: (backend: ReportedBackend) => CallReport;
  /** Another call follows because of what befell the last one. */
  readonly retry: (why: string) => void;
  /** The proxy answers itself: ends the report. `code` says why, if it is an error. */
  readonly answered: (status: number, code: string | undefined) => void;
};

/** What can happen to the routing table. */
type TableUpdate = "admit" | "replace models" | "drain" | "remove";

export type Telemetry = {
  /** @param path of the request, as the client sent it */
  readonly request: (request: Request, path: string) => RequestReport;
  readonly tableUpdated: (update: TableUpdate) => void;
  /** The metrics in Prometheus' text form; undefined if they are not to be had. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Sends what is queued: at most 5 s, never rejects. */
  readonly shutdown: () => Promise<void>;
};

const NO_CALL: CallReport = {
  trace: () => undefined,
  answered: () => undefined,
  ended: () => undefined,
  failed: () => undefined,
};

export const NO_REPORT: RequestReport = {
  named: () => undefined,
  call: () => NO_CALL,
  retry: () => undefined,
  answered: () => undefined,
};

export const NO_TELEMETRY: Telemetry = {
  request: () => NO_REPORT,
  tableUpdated: () => undefined,
  scrape: undefined,
  shutdown: () => Promise.resolve(),
};
