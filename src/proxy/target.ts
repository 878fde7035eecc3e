/**
 * Cuts a request's target out of `request.url`. Uses no URL object, because that would normalise the target, which we
 * must pass on byte for byte, and would throw on a bad Host header. Pure.
 */
import { PUBLIC_PREFIX, UNPREFIXED_PATHS } from "../ground/paths.ts";
import type { Backend } from "../routing/backend.ts";

export type Target = {
  /** As the client sent it, with its percent-encoding. */
  readonly path: string;
  /** Begins with `?`, or is empty. */
  readonly query: string;
};

/** @param url `http://host/path?query`, or `/path?query` if Bun could not use the Host header */
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

/** Replaces the public prefix with the backend's base path. Unprefixed paths stay unchanged. */
export function urlAt({ origin, basePath }: Backend, { path, query }: Target): string {
  if (UNPREFIXED_PATHS.has(path)) return `${origin}${path}${query}`;
  return `${origin}${basePath}${path.slice(PUBLIC_PREFIX.length)}${query}`;
}
