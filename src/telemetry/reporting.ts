/** What a request and its calls report with. */
import type { Attributes, Context, Tracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { Instruments } from "./instruments.ts";
import type { ModelLabels } from "./model-labels.ts";
import type { Route } from "./routes.ts";

export type Reporting = {
  readonly instruments: Instruments;
  readonly labels: ModelLabels;
  /** Undefined if there are no traces. */
  readonly tracer: Tracer | undefined;
};

/** How a request or a call came out. */
export type Outcome = {
  /** Undefined if no answer has come. */
  readonly status: number | undefined;
  /** Undefined if all is well. A word of ours, or the status. */
  readonly errorType: string | undefined;
  /** For the span's status, where that is an error's. */
  readonly message?: string | undefined;
};

/** What a call has to know of the request that it serves, and tells it. */
export type CallOwner = {
  readonly reporting: Reporting;
  readonly method: string;
  readonly route: Route;
  /** The calls' parent. */
  readonly context: Context;
  /** The value of the metrics' label. */
  readonly label: string;
  readonly model: string | undefined;
  readonly addEvent: (name: string, attributes: Attributes) => void;
  /** The call has come to nothing; what is made of it is for the proxy to say. */
  readonly callFailed: (failure: Outcome) => void;
  readonly end: (outcome: Outcome, streaming: boolean, more?: Attributes) => void;
};

export const PROPAGATOR = new W3CTraceContextPropagator();

/** Of what a client or a server has written, in a span. */
const TEXT_LENGTH_MAX = 1_024;

export function short(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) : text;
}
