/**
 * Reads the inference.* labels of a container into `Settings`, or says what is wrong with them.
 * Pure. It does not know what a container is, nor whether it can be reached.
 */
import { hasDotSegment } from "../ground/dot-segments.ts";
import type { ServerSettings } from "./sighting.ts";

/** What the labels of a server say. A source needs its own part to find the server's address. */
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

/** Each label with its default value, written as a user would write it. */
export const LABELS = {
  "inference.enable": undefined,
  "inference.port": "8000",
  "inference.api.base_path": "/v1",
  "inference.network": undefined,
} as const;

/**
 * We compare its value ourselves, and do not let the engine filter by it. So a wrong value gets a
 * warning and not silence.
 */
const ENABLE_LABEL = "inference.enable";

const PORT_LABEL = "inference.port";
const BASE_PATH_LABEL = "inference.api.base_path";
const NETWORK_LABEL = "inference.network";

export function readLabels(labels: Readonly<Record<string, string>>): Labels {
  const enable = labels[ENABLE_LABEL];
  if (enable === "false") return { kind: "disabled", reason: `label ${ENABLE_LABEL} is "false"` };
  if (enable === undefined) {
    const reason = `there is no label ${ENABLE_LABEL}; write ${ENABLE_LABEL}=true to have it routed`;
    return { kind: "wrong", reason };
  }
  if (enable !== "true") return wrong(ENABLE_LABEL, enable, 'write "true" to have it routed');

  const port = readPort(labels[PORT_LABEL]);
  if (port === undefined) {
    return wrong(PORT_LABEL, labels[PORT_LABEL], "write a port from 1 to 65535");
  }
  const basePath = readBasePath(labels[BASE_PATH_LABEL]);
  if (basePath === undefined) {
    return wrong(
      BASE_PATH_LABEL,
      labels[BASE_PATH_LABEL],
      'write a path like "/v1", or "/" for none',
    );
  }
  return {
    kind: "enabled",
    settings: { port, basePath, network: labels[NETWORK_LABEL] || undefined },
  };
}

/** The prefix of all our labels, and of labels that users mistake for ours. */
const PREFIX = "inference.";

/** True if the container has a label that is meant for us. */
export function isLabelled(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some((label) => label.startsWith(PREFIX));
}

/** Returns the labels that look like ours but are not. Most of them are typing errors. */
export function unknownLabels(labels: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(labels).filter((label) => label.startsWith(PREFIX) && !(label in LABELS));
}

function wrong(label: string, value: string | undefined, advice: string): Labels {
  return { kind: "wrong", reason: `label ${label} is ${JSON.stringify(value)}: ${advice}` };
}

function readPort(text: string = LABELS[PORT_LABEL]): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/**
 * Reads the base path; undefined if it is not allowed. It may only have characters of RFC 3986
 * `pchar`, so that it can be put before a path as it is. It must not have a dot segment, in any
 * encoding: fetch leaves an encoded one as it is, but servers decode it and then leave the base
 * path.
 */
function readBasePath(text: string = LABELS[BASE_PATH_LABEL]): string | undefined {
  const path = `/${text.trim()}`.replace(/^\/+/, "/").replace(/\/+$/, "");
  if (!/^[\w.~!$&'()*+,;=:@%/-]*$/.test(path) || hasDotSegment(path)) return undefined;
  return hidesNothing(path) ? path : undefined;
}

/**
 * Characters that, when encoded, may hide a dot segment from us but not from a server. No API path
 * needs them encoded.
 */
const HIDING = /[\0- "%.;\\\x7f]/;

function hidesNothing(path: string): boolean {
  try {
    decodeURIComponent(path); // throws if it is not UTF-8: some servers read `%c0%ae` as a dot
  } catch {
    return false;
  }
  const encoded = path.match(/%[\da-f]{2}/gi) ?? [];
  return !encoded.some((one) =>
    HIDING.test(String.fromCharCode(Number.parseInt(one.slice(1), 16))),
  );
}
