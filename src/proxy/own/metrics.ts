/** The answer to GET /metrics. The metrics themselves come from telemetry. */
import { printableInMetrics } from "../../ground/printable.ts";

/** Source: Prometheus' text format 0.0.4. */
export async function metricsResponse(scrape: () => Promise<string>): Promise<Response> {
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return new Response(printableInMetrics(await scrape()), { headers });
}
