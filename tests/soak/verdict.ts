/** Judges which answers were wrong, and which requests reached a server that should not have got them. Pure. */
import type { Member } from "./fleet.ts";
import type { Delivery } from "./journals.ts";
import type { Exchange } from "./load.ts";
import { SLACK_MS, type Truth } from "./truth.ts";

export type Wrong = {
  readonly what: string;
  readonly atMs: number;
  readonly model: string | null;
  /** Short id of the container that caused it, if known. */
  readonly container: string;
};

/**
 * How long after the engine reports a stop a request may still
 * arrive, ms: the event takes that long to reach the proxy.
 */
const NOTICE_MS = 250;

type Case = {
  readonly exchange: Exchange;
  /** The containers that got it. */
  readonly deliveries: readonly Delivery[];
  readonly truth: Truth;
};

export function wrongAnswers(
  truth: Truth,
  exchanges: readonly Exchange[],
  deliveries: readonly Delivery[],
): readonly Wrong[] {
  const byNumber = Map.groupBy(deliveries, ({ number }) => number);
  return exchanges.flatMap((exchange) => {
    const each: Case = { exchange, deliveries: byNumber.get(exchange.number) ?? [], truth };
    const faults = [
      answerFault(each),
      deliveredTwiceFault(each),
      ...each.deliveries.map((delivery) => deliveryFault(delivery, exchange, truth)),
    ];
    return faults.flatMap((what): Wrong[] =>
      what === undefined
        ? []
        : [
            {
              what,
              atMs: exchange.endMs,
              model: exchange.model,
              container: exchange.servedBy || (each.deliveries[0]?.container ?? ""),
            },
          ],
    );
  });
}

function answerFault(each: Case): string | undefined {
  const { exchange, truth } = each;
  const { outcome } = exchange;
  switch (outcome.kind) {
    case "hung up":
      return undefined;
    case "complete": {
      const models = truth.member(exchange.servedBy)?.models ?? [];
      return models.includes(exchange.model) ? undefined : "answered by a server of another model";
    }
    case "error":
      return errorFault(each, outcome.status, outcome.code);
    case "broken":
      return isBreakExplained(each) ? undefined : `stream broken for no reason: ${outcome.why}`;
    case "garbled":
      return `stream garbled: ${outcome.why}`;
    case "silent":
      return "the stream never ended";
  }
}

function errorFault(each: Case, status: number, code: string): string | undefined {
  const { exchange, truth } = each;
  const { model } = exchange;
  const span = { fromMs: exchange.sentMs, toMs: exchange.endMs };
  switch (`${status} ${code}`) {
    case "404 model_not_found":
      if (truth.isLive(model, span)) return "404 for a model that was live";
      return truth.isHeld(model, span) ? "404 for a model whose container ran" : undefined;
    case "503 backend_draining":
    case "503 backend_unavailable":
      if (truth.isLive(model, span)) return `503 ${code} for a model that was live`;
      return truth.mayBeHeld(model, span) ? undefined : `503 ${code} for a model that was gone`;
    case "502 backend_unreachable":
      return truth.explainsFailure(suspects(each), span) ? undefined : "502 for no reason";
    default:
      return `answered ${status} ${code}`;
  }
}

function isBreakExplained(each: Case): boolean {
  return suspects(each).some((member) => each.truth.explainsBreak(member, each.exchange.endMs));
}

/**
 * The containers that may have failed the request: the one that the
 * answer or the journals name, otherwise all of its model.
 */
function suspects({ exchange, deliveries, truth }: Case): readonly Member[] {
  const containers = [exchange.servedBy, ...deliveries.map(({ container }) => container)];
  const known = containers.map((id) => truth.member(id)).filter((member) => member !== undefined);
  return known.length > 0 ? known : truth.membersOf(exchange.model);
}

/** A second delivery is right if a server closes its connections as it dies. */
function deliveredTwiceFault({ exchange, deliveries, truth }: Case): string | undefined {
  const [first, second, ...more] = deliveries;
  if (first === undefined || second === undefined) return undefined;
  const member = truth.member(first.container);
  const span = { fromMs: first.atMs, toMs: second.atMs };
  const explained = member !== undefined && truth.explainsFailure([member], span);
  return explained && more.length === 0
    ? undefined
    : `request ${exchange.number} delivered ${deliveries.length} times`;
}

function deliveryFault(
  { model, container, atMs }: Delivery,
  { sentMs }: Exchange,
  truth: Truth,
): string | undefined {
  const member = truth.member(container);
  if (member === undefined) return "delivered to an unknown container";
  if (model === null || !member.models.includes(model)) {
    return `delivered to ${member.name}, which does not serve its model`;
  }
  const run = truth
    .runs(member)
    .find(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs + SLACK_MS);
  if (run === undefined) return "delivered to a container that did not run";
  if (run.noticeMs !== undefined && sentMs > run.noticeMs + NOTICE_MS) {
    return `delivered ${(atMs - run.noticeMs).toFixed(0)} ms after the stop notice`;
  }
  const wasLive = run.live.some(
    ({ fromMs, toMs }) => fromMs - SLACK_MS <= atMs && sentMs <= toMs + SLACK_MS,
  );
  return wasLive ? undefined : "delivered to a container that was paused or not healthy";
}
