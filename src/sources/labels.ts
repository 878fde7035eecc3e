/** The inference.* labels of a container → settings, or why not. Pure. */
import { hasDotSegment } from "../ground/dot-segments.ts";

export type Settings = {
  /** Port inside the container. */
  readonly port: number;
  /** `""` or with a leading slash, never with one at the end. */
  readonly basePath: string;
  /** Name of the network to use, if one was asked for. */
  readonly network: string | undefined;
};

export type Labels =
  | { readonly kind: "enabled"; readonly settings: Settings }
  /** Opted out. */
  | { readonly kind: "disabled"; readonly reason: string }
  | { readonly kind: "wrong"; readonly reason: string };

/** Each label with its default, as one would write it. */
export const LABELS = {
  "inference.enable": undefined,
  "inference.port": "8000",
  "inference.api.base_path": "/v1",
  "inference.network": undefined,
} as const;

/** Its value is compared here, so that a wrong one is not met with silence. */
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

/** Of all labels that are ours, and of those that somebody takes for ours. */
const PREFIX = "inference.";

/** Whether anything in the labels is meant for us. */
export function isLabelled(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some((label) => label.startsWith(PREFIX));
}

/** Labels that look like ours and are none: typing errors, more likely than not. */
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
 * Characters of RFC 3986 `pchar` only, so that it can be put before a path as it is; no dot segments,
 * however hidden: servers decode what fetch leaves as it is, and then climb.
 */
function readBasePath(text: string = LABELS[BASE_PATH_LABEL]): string | undefined {
  const path = `/${text.trim()}`.replace(/^\/+/, "/").replace(/\/+$/, "");
  if (!/^[\w.~!$&'()*+,;=:@%/-]*$/.test(path) || hasDotSegment(path)) return undefined;
  return hidesNothing(path) ? path : undefined;
}

/** What may hide a dot segment from us and not from a server: no path of an API has these encoded. */
const HIDING = /[\0- "%.;\\\x7f]/;

function hidesNothing(path: string): boolean {
  try {
    decodeURIComponent(path); // throws at what is no UTF-8: `%c0%ae` is a dot to some
  } catch {
    return false;
  }
  const encoded = path.match(/%[\da-f]{2}/gi) ?? [];
  return !encoded.some((one) =>
    HIDING.test(String.fromCharCode(Number.parseInt(one.slice(1), 16))),
  );
}
