/**
 * Finds the API version in which to speak with an engine. No single version suits all engines:
 * 20.10 knows nothing above 1.41, and 29.0 refuses everything below 1.44.
 *
 * A socket proxy may let only some paths through. So we begin with a path that has a version: each
 * of the usual socket proxies allows it, by the rules that their documentation shows.
 */
import { z } from "zod/mini";
import { letGo, readReply } from "./answer.ts";
import { type EngineAddress, EngineError, notAnEngine } from "./error.ts";

/**
 * The newest API version whose answers we have read about. An older engine is asked in its own
 * version.
 */
const NEWEST = "1.52";

/** Asked in this order. The next one is asked only when the answer to the one before was of no use. */
const PATHS = [`/v${NEWEST}/version`, "/version", "/_ping"] as const;

/** All paths mean this request. Error messages and advice name it. */
const REQUEST = "GET /version";

const REPLY_BYTES_MAX = 1024 * 1024;

const WireVersion = z.object({ ApiVersion: z.string(), MinAPIVersion: z.optional(z.string()) });

/** How Docker from 20.10 to 29 refuses a version. The number is the nearest one that it speaks. */
const NEAREST_SPOKEN = /(Maximum|Minimum) supported API version is (1\.\d{1,4})\b/;

/** The engine sends this header with every answer, also with refusals (Engine API, `/_ping`). */
const VERSION_HEADER = "api-version";

/**
 * @param get sends a GET for a path; throws an EngineError if no answer comes
 * @throws {EngineError} if the answer to every path is of no use: that of the first, or of one that is no engine's
 */
export async function agreeOnVersion(
  address: EngineAddress,
  get: (path: string) => Promise<Response>,
): Promise<string> {
  const failures: Failure[] = [];
  for (const path of PATHS) {
    const response = await get(path);
    const found = await versionOrFailure(address, response, path);
    if (typeof found === "string") return found;
    failures.push(found);
  }
  // That it is no engine is worse than that one path is not allowed.
  const worst = failures.find(({ isOk }) => isOk) ?? failures[0];
  throw worst?.error ?? notAnEngine(address, REQUEST);
}

type Failure = { readonly error: EngineError; readonly isOk: boolean };

async function versionOrFailure(
  address: EngineAddress,
  response: Response,
  path: (typeof PATHS)[number],
): Promise<string | Failure> {
  try {
    return await versionIn(address, response, path);
  } catch (error) {
    const isOk = response.ok;
    // A good answer that breaks off tells nothing of the path.
    if (!(error instanceof EngineError) || (isOk && error.kind === "unreachable")) throw error;
    return { error, isOk };
  }
}

async function versionIn(
  address: EngineAddress,
  response: Response,
  path: (typeof PATHS)[number],
): Promise<string> {
  const newestSpoken = spoken(response.headers.get(VERSION_HEADER));
  if (path === "/_ping" && response.ok) {
    letGo(response);
    if (newestSpoken === undefined) throw notAnEngine(address, REQUEST);
    return older(newestSpoken, NEWEST);
  }
  try {
    return chosen(await readReply({ address, request: REQUEST, response }, REPLY_BYTES_MAX));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.core.$ZodError) {
      throw notAnEngine(address, REQUEST, error);
    }
    const version = response.status === 400 ? nearestIn(error, newestSpoken) : undefined;
    if (version === undefined) throw error;
    return version;
  }
}

/** The version to speak, if the engine does not speak the one in our path and says so. */
function nearestIn(error: unknown, newestSpoken: string | undefined): string | undefined {
  if (!(error instanceof EngineError) || error.kind !== "refused") return undefined;
  const [, bound, nearest = newestSpoken] = NEAREST_SPOKEN.exec(error.message) ?? [];
  return bound === "Minimum" || nearest === undefined ? nearest : older(nearest, NEWEST);
}

/** @throws {SyntaxError | z.core.$ZodError} if the text is not the answer of an engine */
function chosen(text: string): string {
  const { ApiVersion, MinAPIVersion = "1.24" } = WireVersion.parse(JSON.parse(text));
  return newer(MinAPIVersion, older(ApiVersion, NEWEST));
}

function spoken(header: string | null): string | undefined {
  return header !== null && /^1\.\d{1,4}$/.test(header) ? header : undefined;
}

function older(a: string, b: string): string {
  return minor(a) < minor(b) ? a : b;
}

function newer(a: string, b: string): string {
  return minor(a) > minor(b) ? a : b;
}

/** The number after `1.`: the API has had no other major version in ten years. */
function minor(version: string): number {
  return Number(version.split(".")[1] ?? 0);
}
