/**
 * The models of a server as a reading reads them: its list, or the names that its label has. If its machine may vanish,
 * a connection comes first, so that a read soon tells a server that can't be reached from one that is slow. Does
 * not decide when to read, or what follows from a failure.
 */
import { type ConnectTry, tryConnect } from "../ground/connect.ts";
import { errorCode } from "../ground/error-text.ts";
import type { Unreachable } from "../routing/backend.ts";
import { type ModelList, namedList } from "./model-list.ts";
import type { ReadModels } from "./models.ts";
import { ModelsUnreadable, nothingListens, ServerUnreachable } from "./models-failure.ts";
import type { Place } from "./plan.ts";

/** How long a connection to a server whose machine may vanish may take, ms. A live one takes some ms. */
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
  failed: undefined, // says nothing of the server: the read will
};

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ETIMEDOUT: TIMED_OUT,
};

/** How a request could not reach its backend, in words for people. */
export const HOW_UNREACHABLE: Readonly<Record<Unreachable, string>> = {
  "connection refused": REFUSED,
  "not connected": NO_ROUTE,
  unreachable: TIMED_OUT,
};
