/**
 * `GET /sd/prometheus`: the routed servers as targets for Prometheus. So Prometheus reads their own `/metrics` without a
 * configured list. Source: Prometheus, "HTTP SD", https://prometheus.io/docs/prometheus/latest/http_sd/
 */
import { printable } from "../../ground/printable.ts";
import { compare } from "../../routing/run.ts";

/** A server whose own metrics Prometheus can read. */
export type ScrapeTarget = {
  /** The container's id. */
  readonly id: string;
  /** The container's name. */
  readonly name: string;
  /** `http://host:port`. */
  readonly origin: string;
  readonly models: readonly string[];
};

/** For all groups together. About 15,000 targets fit; the answer leaves out the rest. */
const BYTES_MAX = 4 * 1024 * 1024;
/** For the models of one target. With many targets, each gets its share of `ALL_MODELS_BYTES_MAX`. */
const MODELS_BYTES_MAX = 4 * 1024;
const ALL_MODELS_BYTES_MAX = 1024 * 1024;
/** The longest name of a container or a model, in characters. */
const LENGTH_MAX = 256;
/** The empty list. */
const NONE = ",";
const RETRY_AFTER_S = "5";
const SCHEME = /^https?:\/\//;

/**
 * Prometheus keeps its current targets until it gets a 200.
 *
 * @param targets undefined while the proxy does not know which servers run
 */
export function scrapeTargetsResponse(targets: readonly ScrapeTarget[] | undefined): Response {
  if (targets === undefined) {
    const headers = { "content-type": "text/plain", "retry-after": RETRY_AFTER_S };
    const text = "The proxy does not know now which servers run: see /status\n";
    return new Response(text, { status: 503, headers });
  }
  // Prometheus accepts no other content type.
  return new Response(json(targets), { headers: { "content-type": "application/json" } });
}

/** Sorts the targets, so that two answers differ only if the targets do. */
function json(targets: readonly ScrapeTarget[]): string {
  const modelsBytesMax = Math.min(MODELS_BYTES_MAX, ALL_MODELS_BYTES_MAX / targets.length);
  const groups: string[] = [];
  let bytes = 0;
  for (const target of [...targets].sort(byName)) {
    const group = printable(JSON.stringify(groupOf(target, modelsBytesMax)));
    bytes += Buffer.byteLength(group) + 1;
    if (bytes > BYTES_MAX) break;
    groups.push(group);
  }
  return `[${groups.join()}]`;
}

function byName(one: ScrapeTarget, other: ScrapeTarget): number {
  return compare(one.name, other.name) || compare(one.id, other.id);
}

function groupOf({ id, name, origin, models }: ScrapeTarget, modelsBytesMax: number): object {
  return {
    targets: [origin.replace(SCHEME, "")],
    labels: {
      container_name: wellFormed(name.slice(0, LENGTH_MAX)),
      __meta_inference_container_id: wellFormed(id.slice(0, LENGTH_MAX)),
      __meta_inference_models: joined(models, modelsBytesMax),
    },
  };
}

/**
 * Joins a list as Prometheus' own service discoveries do: with a comma at both ends, so that `.*,a,.*` matches one
 * item. Leaves out names that are too long for a label, and the last names if there is no room.
 */
function joined(models: readonly string[], bytesMax: number): string {
  let text = NONE;
  for (const model of models) {
    if (model.length > LENGTH_MAX) continue;
    const more = `${text}${wellFormed(model)},`;
    if (Buffer.byteLength(more) > bytesMax) break;
    text = more;
  }
  return text === NONE ? "" : text;
}

/** A label's value is UTF-8, which cannot hold half a surrogate pair. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
