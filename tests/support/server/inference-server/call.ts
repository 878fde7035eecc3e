/** The JSON fields of a request for text, and the call that they describe. */
import type { Call } from "./generation.ts";
import type { Settings } from "./settings.ts";

export type Fields = Readonly<Record<string, unknown>>;

export type CallSource = {
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly fields: Fields;
  readonly model: string;
  /** The length of the whole JSON. */
  readonly bytes: number;
};

export function toCall({ settings, signal, fields, model, bytes }: CallSource): Call {
  const { pace, name } = settings;
  const options = fields["stream_options"];
  return {
    id: newId(),
    model,
    createdS: Math.floor(Date.now() / 1000),
    promptTokens: Math.ceil(bytes / 4),
    pace: {
      tokens: numberOr(fields["tokens"], pace.tokens),
      tokenDelayMs: numberOr(fields["token_delay_ms"], pace.tokenDelayMs),
      firstTokenDelayMs: numberOr(fields["first_token_delay_ms"], pace.firstTokenDelayMs),
    },
    includeUsage: isFields(options) && options["include_usage"] === true,
    name,
    signal,
  };
}

/** In the form of the Responses and Realtime APIs. */
export function usageOf({ promptTokens, pace: { tokens } }: Call): object {
  return {
    input_tokens: promptTokens,
    output_tokens: tokens,
    total_tokens: promptTokens + tokens,
  };
}

export function newId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** @returns undefined if the text is not a JSON object */
export function parseFields(json: ArrayBuffer | string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(
      typeof json === "string" ? json : new TextDecoder().decode(json),
    );
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function modelOf(fields: Fields | undefined): string | null {
  const model = fields?.["model"];
  return typeof model === "string" ? model : null;
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}
