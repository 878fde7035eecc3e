/** GET {base_path}/models of a backend → its models, the objects as it sent them. */
import { z } from "zod/mini";
import type { Model } from "../routing/backend.ts";

export type ReadLimits = {
  readonly timeoutMs: number;
  readonly bytesMax: number;
};

const READ_LIMITS: ReadLimits = { timeoutMs: 10_000, bytesMax: 16 * 1024 * 1024 };

/** OpenAI's list. Only the ids are ours to check; every other field goes through as it came. */
const WireModels = z.object({ data: z.array(z.looseObject({ id: z.string() })) });

/**
 * @param url of the server's API: `http://host:port/v1`
 * @throws {Error} whose message says why in a few words: it follows "cannot read models:"
 */
export async function readModels(
  url: string,
  signal: AbortSignal,
  limits: ReadLimits = READ_LIMITS,
): Promise<readonly Model[]> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  try {
    const response = await fetch(`${url}/models`, {
      headers: { accept: "application/json" },
      redirect: "manual",
      keepalive: false,
      proxy: false,
      signal: AbortSignal.any([signal, timeout]),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the server answered ${response.status} to GET /models`);
    }
    return parseModels(await readText(response, limits.bytesMax));
  } catch (error) {
    if (timeout.aborted) {
      throw new Error(`no answer to GET /models within ${limits.timeoutMs} ms`, { cause: error });
    }
    throw error;
  }
}

async function readText(response: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > bytesMax)
      throw new Error(`the answer to GET /models is larger than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parseModels(text: string): readonly Model[] {
  const wire = WireModels.safeParse(parseJson(text));
  if (!wire.success)
    throw new Error('the answer to GET /models has no list "data" of objects with an "id"');
  const models = new Map<string, Model>();
  for (const model of wire.data.data) {
    if (model.id !== "" && !models.has(model.id)) models.set(model.id, model);
  }
  return [...models.values()];
}

/** An object for each number is slow: 16 MB of them would stop the proxy for seconds (measured: 6.6). */
const EXACT_LENGTH_MAX = 1024 * 1024;

type RawJson = { rawJSON(text: string): unknown };

/** Numbers stay the text they were: a parameter count may be above 2^53, and 1.0 is not 1 to everybody. */
function parseJson(text: string): unknown {
  const { rawJSON } = JSON as unknown as RawJson;
  try {
    if (text.length > EXACT_LENGTH_MAX) return JSON.parse(text);
    return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === "number" && context?.source !== undefined ? rawJSON(context.source) : value,
    );
  } catch {
    return undefined;
  }
}
