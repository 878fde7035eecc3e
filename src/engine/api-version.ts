/**
 * Finds the API version to use with an engine. No single version works with all engines: 20.10
 * knows no version above 1.41, and 29.0 refuses all versions below 1.44.
 *
 * A socket proxy may allow only some paths. So we begin with a path that contains a version: all
 * usual socket proxies allow it with the rules from their documentation.
 */
import { z } from "zod/mini";
import { letGo, readReply } from "./answer.ts";
import { type EngineAddress, EngineError, notAnEngine } from "./error.ts";

/**
 * The newest API version whose documentation we have read. With an older engine we use the
 * engine's own version.
 */
const NEWEST = "1.52";

/** We ask for these paths in this order, until one gives a usable answer. */
const PATHS = [`/v${NEWEST}/version`, "/version", "/_ping"] as const;

/** Error messages and advice name this request, whatever the path is. */
const REQUEST = "GET /version";

const REPLY_BYTES_MAX = 1024 * 1024;

const WireVersion = z.object({ ApiVersion: z.string(), MinAPIVersion: z.optional(z.string()) });

/** How Docker 20.10 to 29 refuses a version. The number is the nearest version that it supports. */
const NEAREST_SPOKEN = /(Maximum|Minimum) supported API version is (1\.\d{1,4})\b/;

/** The engine sends this header with every answer, including refusals (Engine API, `/_ping`). */
const VERSION_HEADER = "api-version";

/**
 * @param get sends a GET for a path; throws an EngineError if there is no answer
 * @throws {EngineError} if no path gives a usable answer. It is the error of the first path, or of
 * a path whose answer does not come from an engine
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
  // An answer that is not an engine's is worse than a path that is not allowed.
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
    // A good answer that breaks off says nothing about the path.
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

/** The version to use, when the engine says that it does not support the version in our path. */
function nearestIn(error: unknown, newestSpoken: string | undefined): string | undefined {
  if (!(error instanceof EngineError) || error.kind !== "refused") return undefined;
  const [, bound, nearest = newestSpoken] = NEAREST_SPOKEN.exec(error.message) ?? [];
  return bound === "Minimum" || nearest === undefined ? nearest : older(nearest, NEWEST);
}

/** @throws {SyntaxError | z.core.$ZodError} if the text is not an engine's answer */
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
