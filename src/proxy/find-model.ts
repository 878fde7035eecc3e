/** Looks a model up. Asks the servers for their model lists before it calls the model unknown. */
import type { ModelLookup } from "../routing/routes.ts";
import type { Models } from "./own/models-list.ts";

export type FindInit = Models & {
  /** Asks every server for its model list again. Resolves at once when that was done moments ago. */
  readonly refreshModels?: () => Promise<void>;
};

/** How long a request for an unknown model waits for the new lists. */
const REFRESH_MS = 1_000;

/** A running server can get new models: adapters and pulled models. So we ask the servers again. */
export async function findModel(name: string, init: FindInit): Promise<ModelLookup> {
  const { routes, isReady, refreshModels } = init;
  const found = routes.find(name);
  if (found.kind !== "unknown" || refreshModels === undefined || !isReady()) return found;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, REFRESH_MS);
  await Promise.race([refreshModels(), late.promise]);
  clearTimeout(timer);
  return routes.find(name);
}
