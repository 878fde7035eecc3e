/** `GET /sd/prometheus`: the routed servers as targets for Prometheus, by its HTTP service discovery. */

/** A server whose own metrics can be read. */
export type ScrapeTarget = {
  /** `http://host:port`. */
  readonly origin: string;
  /** The container's name. */
  readonly name: string;
  readonly models: readonly string[];
};

/** @param targets undefined if it is not known yet which servers there are */
export function scrapeTargetsResponse(targets: readonly ScrapeTarget[] | undefined): Response {
  return Response.json((targets ?? []).map(({ origin }) => ({ targets: [origin] })));
}
