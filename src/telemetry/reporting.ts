/** What the report of a request and those of its calls share. Reports nothing itself. */
import type { Attributes, Context, Tracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { Instruments } from "./instruments.ts";
import type { LabelValues } from "./label-values.ts";
import type { Route } from "./routes.ts";
import type { LateSpans } from "./run-end.ts";
import type { ReportedEnding } from "./telemetry.ts";

export type Reporting = {
  readonly instruments: Instruments;
  /** Those of the label `model`. */
  readonly labels: LabelValues;
  /** Undefined if there are no traces. */
  readonly tracer: Tracer | undefined;
  /** Those that wait for the reason of their end. */
  readonly late: LateSpans;
};

/** How a request or a call ended. */
export type ReportEnd = {
  /** Undefined if no answer has come. */
  readonly status: number | undefined;
  /** Undefined if all is well; otherwise a word of ours, or the status. */
  readonly errorType: string | undefined;
  /** For the span's status, if that is an error. */
  readonly message?: string | undefined;
  /** How far the answer came. The message begins with it. */
  readonly progress?: string;
  /** What we have seen of it, if `errorType` is the end of the server's container. */
  readonly seen?: string;
  /** Of the server's run, where its end may be the reason. The spans wait until that is known. */
  readonly ending?: ReportedEnding;
  /** When it was, by `performance.now()`, if spans may end later than that. */
  readonly atMs?: number;
};

/** The request that a call serves: what the call must know of it, and what it tells it. */
export type CallOwner = {
  readonly reporting: Reporting;
  readonly method: string;
  readonly route: Route;
  /** The parent of the calls' spans. */
  readonly context: Context;
  /** The value of the label `model` in metrics. */
  readonly label: string;
  readonly model: string | undefined;
  readonly addEvent: (name: string, attributes: Attributes) => void;
  /** The call got no answer. The proxy decides what the client gets then. */
  readonly callFailed: (failure: ReportEnd) => void;
  readonly end: (outcome: ReportEnd, streaming: boolean, more?: Attributes) => void;
};

/** The status of a WebSocket. */
export const SWITCHING_PROTOCOLS = 101;

export const PROPAGATOR = new W3CTraceContextPropagator();

/** The attribute with what was seen of an error whose `error.type` is the end of a container. */
export const SEEN = "proxy.error";

/** The most characters that a span takes of a text from a client or a server. */
const TEXT_LENGTH_MAX = 1_024;

/** Cuts a text to what a span takes. */
export function short(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) : text;
}
