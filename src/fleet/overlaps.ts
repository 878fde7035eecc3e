/** Two containers that serve the same models: told again when what can be said of it changes. */
import { someOf } from "../ground/some-of.ts";
import { keyOf } from "../routing/run.ts";
import type { Overlap } from "../routing/table.ts";
import type { WarnOnce } from "../telemetry/warn-once.ts";

const MESSAGE =
  "two containers serve the same models; the last to become healthy gets the requests";

/** Warns of each, unless the last warning of these two had the same winner and the same models. */
export function warnOfOverlaps(warnings: WarnOnce, overlaps: readonly Overlap[]): void {
  for (const { winner, other, modelIds } of overlaps) {
    const fields = {
      container: winner.name,
      instead_of: other.name,
      model_count: modelIds.length,
      models: someOf(modelIds),
    };
    const ids = JSON.stringify([...modelIds].sort()); // in another order they are the same
    const said = `${keyOf(winner.run)} ${Bun.SHA256.hash(ids, "hex")}`;
    warnings.warn([keyOf(winner.run), keyOf(other.run)], MESSAGE, fields, said);
  }
}
