/** Starts telemetry. If all telemetry is off, it does not even load the OpenTelemetry modules. */
import type { OtelInit } from "./otel.ts";
import type { TelemetrySettings } from "./settings.ts";
import { NO_TELEMETRY, type Telemetry } from "./telemetry.ts";

export async function startTelemetry(
  settings: TelemetrySettings | undefined,
  init: Omit<OtelInit, "settings">,
): Promise<Telemetry> {
  if (settings === undefined) return NO_TELEMETRY;
  const { createOtel } = await import("./otel.ts");
  return createOtel({ ...init, settings });
}
