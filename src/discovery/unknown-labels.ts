/** Labels that look like ours and are none: typing errors, more likely than not. */
import type { Container } from "../docker/container.ts";
import { LABELS, unknownLabels } from "../docker/labels.ts";
import { someOf } from "../ground/some-of.ts";
import type { WarnOnce } from "./warn-once.ts";

export function warnOfUnknownLabels({ id, name, labels }: Container, warnings: WarnOnce): void {
  const unknown = unknownLabels(labels);
  if (unknown.length === 0) return;
  const reason = `the proxy knows ${Object.keys(LABELS).join(", ")}`;
  warnings.warn([id], "unknown labels", { container: name, labels: someOf(unknown), reason });
}
