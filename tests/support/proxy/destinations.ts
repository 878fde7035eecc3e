/** Where requests that name no model go, and the answers where they go nowhere. */
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

/** About a file or the like, which only one server has. */
export const BY_ID = { ...BY_QUERY, isOfOneServer: true } as const;

/** About the response `resp_2`, which nobody knows. */
export const UNKNOWN = { ...BY_ID, responseId: "resp_2" } as const;

/** An answer of the proxy's own: its status and its code. */
export async function statusAndCode(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } };
  return `${response.status} ${error.code}`;
}
