/** Warns of containers that serve the same models. Does not decide which gets the requests. */
import { someOf } from "../ground/some-of.ts";
import type { Overlap } from "../routing/overlap.ts";
import { keyOf } from "../routing/run.ts";
import type { WarnOnce } from "../telemetry/warn-once.ts";

const MESSAGE =
  "two containers serve the same models; the last to become healthy gets the requests";

/** Warns of each, unless the last warning of its two containers had the same winner and models. */
export function warnOfOverlaps(warnings: WarnOnce, overlaps: readonly Overlap[]): void {
  for (const { winner, other, modelIds } of overlaps) {
    const fields = {
      container: winner.name,
      instead_of: other.name,
      model_count: modelIds.length,
      models: someOf(modelIds),
    };
    const ids = JSON.stringify([...modelIds].sort()); // sorted, since another order is no news
    const said = `${keyOf(winner.run)} ${Bun.SHA256.hash(ids, "hex")}`;
    warnings.warn([keyOf(winner.run), keyOf(other.run)], MESSAGE, fields, said);
  }
}
