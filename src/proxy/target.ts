/**
 * The target of a request, cut out of `request.url`. Uses no URL object: it would normalise what must be sent
 * on byte for byte, and throw where the Host header is bad. Pure.
 */
import { PUBLIC_PREFIX, UNPREFIXED_PATHS } from "../ground/paths.ts";
import type { Backend } from "../routing/backend.ts";

export type Target = {
  /** As the client sent it: percent-encoding kept. */
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
};

/** @param url `http://host/path?query`, or only `/path?query` if Bun could not use the Host header */
export function splitTarget(url: string): Target {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const fragment = url.indexOf("#");
  const end = fragment === -1 ? url.length : fragment;
  const target = start === -1 || start >= end ? "/" : url.slice(start, end);
  const query = target.indexOf("?");
  return query === -1
    ? { path: target, query: "" }
    : { path: target.slice(0, query), query: target.slice(query) };
}

/** The backend's own base path takes the place of the public prefix. Unprefixed paths stay as they are. */
export function urlAt({ origin, basePath }: Backend, { path, query }: Target): string {
  if (UNPREFIXED_PATHS.has(path)) return `${origin}${path}${query}`;
  return `${origin}${basePath}${path.slice(PUBLIC_PREFIX.length)}${query}`;
}
