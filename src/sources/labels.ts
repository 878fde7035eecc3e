/**
 * Reads the inference.* labels of a container into `Settings`, or says what is wrong with them. Pure.
 * It does not know containers, or whether the proxy can reach one.
 */
import { hasDotSegment } from "../ground/dot-segments.ts";
import { MODEL_ID_BYTES_MAX, MODELS_MAX } from "../ground/model-limits.ts";
import { cut } from "../ground/some-of.ts";
import { LABELLED_REPLICAS, type ServerSettings } from "./sighting.ts";

/** The settings in the labels of a server. A source uses `port` and `network` to find its address. */
export type Settings = ServerSettings & {
  /** The port that the server listens on, inside the container. */
  readonly port: number;
  /** Name of the network to use; undefined if the label names none. */
  readonly network: string | undefined;
};

export type Labels =
  | { readonly kind: "enabled"; readonly settings: Settings }
  /** The label opts the container out. */
  | { readonly kind: "disabled"; readonly reason: string }
  | { readonly kind: "wrong"; readonly reason: string };

/** Each label with its default value, as a user would write it. */
export const LABELS = {
  "inference.enable": undefined,
  "inference.port": "8000",
  "inference.api.base_path": "/v1",
  "inference.network": undefined,
  "inference.models": undefined,
  "inference.replica": undefined,
  "inference.max_in_flight": undefined,
} as const;

/**
 * We compare its value ourselves, and do not let the engine filter by it. So a wrong value causes a
 * warning.
 */
const ENABLE_LABEL = "inference.enable";

const PORT_LABEL = "inference.port";
const BASE_PATH_LABEL = "inference.api.base_path";
const NETWORK_LABEL = "inference.network";
const MODELS_LABEL = "inference.models";
export const REPLICA_LABEL = "inference.replica";
const MAX_IN_FLIGHT_LABEL = "inference.max_in_flight";

/**
 * Reads the labels of a container. An empty label counts as missing, as an empty environment variable
 * does: an unset variable in a Compose file makes a label empty.
 */
export function readLabels(labels: Readonly<Record<string, string>>): Labels {
  return notEnabled(labels[ENABLE_LABEL]) ?? readSettings(labels);
}

function notEnabled(enable: string | undefined): Labels | undefined {
  switch (enable) {
    case "true":
      return undefined;
    case "false":
      return { kind: "disabled", reason: `label ${ENABLE_LABEL} is "false"` };
    case undefined:
      return { kind: "wrong", reason: `label ${ENABLE_LABEL} is missing; ${WRITE_ENABLE}` };
    case "":
      return { kind: "wrong", reason: `label ${ENABLE_LABEL} is empty; ${WRITE_ENABLE}` };
    default:
      return wrong(ENABLE_LABEL, enable, 'write "true" to make the proxy route it');
  }
}

const WRITE_ENABLE = `write ${ENABLE_LABEL}=true to make the proxy route it`;

function readSettings(labels: Readonly<Record<string, string>>): Labels {
  const port = readPort(labels[PORT_LABEL] || undefined);
  if (port === undefined) {
    return wrong(PORT_LABEL, labels[PORT_LABEL], "write a port from 1 to 65535");
  }
  const basePath = readBasePath(labels[BASE_PATH_LABEL] || undefined);
  if (basePath === undefined) {
    return wrong(
      BASE_PATH_LABEL,
      labels[BASE_PATH_LABEL],
      'write a path like "/v1", or "/" if there is none',
    );
  }
  const named = readModels(labels[MODELS_LABEL] ?? "");
  if (named.kind === "wrong") return named;
  const { models } = named;
  const network = labels[NETWORK_LABEL] || undefined;
  const sharing = readSharing(labels);
  if (sharing.kind === "wrong") return sharing;
  return {
    kind: "enabled",
    settings: {
      port,
      basePath,
      network,
      ...(models.length > 0 && { models }),
      ...sharing.settings,
    },
  };
}

type Sharing = Pick<ServerSettings, "shares" | "maxInFlight">;

/** Reads whether a server shares its requests with others, and how many it takes at once. */
function readSharing(
  labels: Readonly<Record<string, string>>,
): { readonly kind: "read"; readonly settings: Sharing } | Wrong {
  const replica = labels[REPLICA_LABEL] || "false";
  if (replica !== "true" && replica !== "false") {
    return wrong(REPLICA_LABEL, replica, 'write "true" if it is one of several replicas');
  }
  const max = labels[MAX_IN_FLIGHT_LABEL] || undefined;
  const maxInFlight = readMaxInFlight(max);
  if (max !== undefined && maxInFlight === undefined) {
    return wrong(MAX_IN_FLIGHT_LABEL, max, "write a number of requests from 1 to 1000000");
  }
  const settings = {
    ...(replica === "true" && { shares: LABELLED_REPLICAS }),
    ...(maxInFlight !== undefined && { maxInFlight }),
  };
  return { kind: "read", settings };
}

function readMaxInFlight(text = ""): number | undefined {
  const max = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  return max >= 1 && max <= 1_000_000 ? max : undefined;
}

/** The prefix of all our labels. A label with this prefix that is not ours is probably misspelled. */
const PREFIX = "inference.";

/**
 * True if the container has a label that is meant for us. An empty label of ours counts as missing. An
 * unknown label with our prefix counts even if it is empty: we warn about the typing error.
 */
export function isLabelled(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some(
    (label) => label.startsWith(PREFIX) && (labels[label] !== "" || !(label in LABELS)),
  );
}

/** Docker sets this label on each container of a swarm task. */
export const TASK_ID_LABEL = "com.docker.swarm.task.id";

/** True if the container belongs to a task of a swarm. */
export function isOfTask(labels: Readonly<Record<string, string>>): boolean {
  return TASK_ID_LABEL in labels;
}

/** Returns the labels that look like ours but are not. Most are typing errors. */
export function unknownLabels(labels: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(labels).filter((label) => label.startsWith(PREFIX) && !(label in LABELS));
}

type Wrong = Extract<Labels, { readonly kind: "wrong" }>;

const SHOWN_LENGTH_MAX = 200;

function wrong(label: string, value = "", advice: string): Wrong {
  const shown = JSON.stringify(cut(value, SHOWN_LENGTH_MAX));
  return { kind: "wrong", reason: `label ${label} is ${shown}: ${advice}` };
}

const NAME_MODELS = "write the names of its models, separated by commas";

/** Reads the names of the models. The result is empty only if the label is empty. */
function readModels(
  text: string,
): { readonly kind: "named"; readonly models: readonly string[] } | Wrong {
  if (text === "") return { kind: "named", models: [] };
  const pieces = text.split(",", MODELS_MAX + 1);
  if (pieces.length > MODELS_MAX) return wrongModels(`more than ${MODELS_MAX} names: name fewer`);
  const names = new Set(pieces.map((name) => name.trim()));
  names.delete("");
  if (names.size === 0) return wrong(MODELS_LABEL, text, NAME_MODELS);
  const models = [...names];
  const isLong = models.some((name) => Buffer.byteLength(name) > MODEL_ID_BYTES_MAX);
  return isLong ? wrongModels("a name over 64 KiB: shorten it") : { kind: "named", models };
}

function wrongModels(what: string): Wrong {
  return { kind: "wrong", reason: `label ${MODELS_LABEL} has ${what}` };
}

function readPort(text: string = LABELS[PORT_LABEL]): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/**
 * Reads the base path; undefined if it is not allowed. It may only have characters of RFC 3986
 * `pchar`, because we put it in front of a path unchanged. It must not have a dot segment in any
 * encoding: fetch sends an encoded dot segment unchanged, and servers decode it and leave the base
 * path.
 */
function readBasePath(text: string = LABELS[BASE_PATH_LABEL]): string | undefined {
  const path = `/${text.trim()}`.replace(/^\/+/, "/").replace(/\/+$/, "");
  if (!/^[\w.~!$&'()*+,;=:@%/-]*$/.test(path) || hasDotSegment(path)) return undefined;
  return hidesNothing(path) ? path : undefined;
}

/**
 * Encoded forms of these characters can hide a dot segment from us but not from a server. No API path
 * needs them encoded.
 */
const HIDING = /[\0- "%.;\\\x7f]/;

function hidesNothing(path: string): boolean {
  try {
    decodeURIComponent(path); // throws if it is not UTF-8; some servers read `%c0%ae` as a dot
  } catch {
    return false;
  }
  const encoded = path.match(/%[\da-f]{2}/gi) ?? [];
  return !encoded.some((one) =>
    HIDING.test(String.fromCharCode(Number.parseInt(one.slice(1), 16))),
  );
}
