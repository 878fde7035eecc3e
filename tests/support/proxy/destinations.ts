/** Destinations of requests that name no model, and the proxy's answers when no server fits. */
import type { Destination } from "../../../src/proxy/destination.ts";

export const IN_BODY = { kind: "model", model: "m", isInBody: true } as const satisfies Destination;

export const IN_QUERY = { ...IN_BODY, isInBody: false } as const;

export const UNNAMED = {
  kind: "unnamed",
  method: "POST",
  namedIn: "body",
  isOfOneServer: false,
} as const satisfies Destination;

export const BY_QUERY = { ...UNNAMED, namedIn: "query" } as const;

/** For a file or a similar object, which only one server has. */
export const BY_ID = { ...BY_QUERY, isOfOneServer: true } as const;

/** For the response `resp_2`, which no server knows. */
export const UNKNOWN = { ...BY_ID, responseId: "resp_2" } as const;

/** Status and code of an answer that the proxy itself made. */
export async function statusAndCode(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } };
  return `${response.status} ${error.code}`;
}
