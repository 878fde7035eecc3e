/** The types that the report of a request and the reports of its calls share. Reports nothing itself. */
import type { Attributes, Context, Tracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { Instruments } from "./instruments.ts";
import type { LabelValues } from "./label-values.ts";
import type { Route } from "./routes.ts";
import type { LateSpans } from "./run-end.ts";
import type { ReportedEnding } from "./telemetry.ts";

export type Reporting = {
  readonly instruments: Instruments;
  /** The values of the label `model`. */
  readonly labels: LabelValues;
  /** Undefined if traces are off. */
  readonly tracer: Tracer | undefined;
  /** The spans that wait for the reason of their end. */
  readonly late: LateSpans;
};

/** How a request or a call ended. */
export type ReportEnd = {
  /** Undefined without an answer. */
  readonly status: number | undefined;
  /** A word of the proxy, or the status; undefined without an error. */
  readonly errorType: string | undefined;
  /** For the status of the span, if it is an error. */
  readonly message?: string | undefined;
  /** How far the answer got. The message begins with it. */
  readonly progress?: string;
  /** The error that the proxy saw first, if `errorType` is the end of the server's container. */
  readonly seen?: string;
  /** The end of the server's run, if it may be the reason. The spans wait until it is known. */
  readonly ending?: ReportedEnding;
  /** The time of the end by `performance.now()`, if the spans may be ended later. */
  readonly atMs?: number;
};

/** The request that a call serves: the data that the call needs, and the callbacks that it uses. */
export type CallOwner = {
  readonly reporting: Reporting;
  readonly method: string;
  readonly route: Route;
  /** The parent of the spans of the calls. */
  readonly context: Context;
  /** The value of the label `model` in metrics. */
  readonly label: string;
  readonly model: string | undefined;
  readonly addEvent: (name: string, attributes: Attributes) => void;
  /** The call got no answer. The proxy decides the answer to the client. */
  readonly callFailed: (failure: ReportEnd) => void;
  readonly end: (outcome: ReportEnd, streaming: boolean, more?: Attributes) => void;
};

/** The status of a WebSocket. */
export const SWITCHING_PROTOCOLS = 101;

export const PROPAGATOR = new W3CTraceContextPropagator();

/** The attribute for the error that the proxy saw first, if `error.type` is the end of a container. */
export const SEEN = "proxy.error";

/** The most characters of a text from a client or a server in a span. */
const TEXT_LENGTH_MAX = 1_024;

/** Cuts a text for a span. */
export function short(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) : text;
}
