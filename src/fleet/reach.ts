/**
 * One read of a server's models: from its list, or from the names in its label. If its machine may vanish, it first
 * tries to connect, so that a read soon tells an unreachable server from a slow one. Does not decide when to read, or
 * what follows from a failure.
 */
import { type ConnectTry, tryConnect } from "../ground/connect.ts";
import { errorCode } from "../ground/error-text.ts";
import type { Unreachable } from "../routing/backend.ts";
import { type ModelList, namedList } from "./model-list.ts";
import type { ReadModels } from "./models.ts";
import { ModelsUnreadable, nothingListens, ServerUnreachable } from "./models-failure.ts";
import type { Place } from "./plan.ts";

/** The time limit for a connection to a server whose machine may vanish, ms. A live server accepts within a few ms. */
const CONNECT_MS = 1_000;

/** See `tryConnect`. */
export type Connect = typeof tryConnect;

type Way = Pick<Place, "origin" | "basePath" | "named" | "mayVanish">;

/**
 * @param name what people call the server
 * @throws {ServerUnreachable} if its machine may vanish, and no connection to it can be made
 * @throws what `readModels` throws
 */
export async function modelsAt(
  { origin, basePath, named, mayVanish }: Way,
  by: { readonly name: string; readonly readModels: ReadModels; readonly connect?: Connect },
  signal: AbortSignal,
): Promise<ModelList> {
  const { name, readModels, connect = tryConnect } = by;
  const read = (): Promise<ModelList> =>
    named === undefined
      ? readModels(`${origin}${basePath}`, signal)
      : Promise.resolve(namedList(named, name));
  if (mayVanish !== true) return read();
  const how = HOW[await connect(origin, CONNECT_MS)];
  if (how === REFUSED) throw new ServerUnreachable(how, nothingListens(origin));
  if (how !== undefined) throw new ServerUnreachable(how);
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ModelsUnreadable)) throw error;
    const since = BY_CODE[errorCode(error.cause) ?? ""];
    throw since === undefined ? error : new ServerUnreachable(since, error.message);
  }
}

const REFUSED = "connection refused";
const NO_ROUTE = "no route to it";
const TIMED_OUT = "connection timed out";

const HOW: Readonly<Record<ConnectTry, string | undefined>> = {
  connected: undefined,
  refused: REFUSED,
  "no route": NO_ROUTE,
  "timed out": TIMED_OUT,
  failed: undefined, // not the fault of the server: the read will show more
};

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ETIMEDOUT: TIMED_OUT,
};

/** Why a request could not reach its backend, in words for operators. */
export const HOW_UNREACHABLE: Readonly<Record<Unreachable, string>> = {
  "connection refused": REFUSED,
  "not connected": NO_ROUTE,
  unreachable: TIMED_OUT,
};
