/**
 * Warns about labels that look like ours but are not. Most are typing errors. It does not decide which
 * labels are ours.
 */
import type { Container } from "../../engine/container.ts";
import { someOf } from "../../ground/some-of.ts";
import type { WarnOnce } from "../../telemetry/warn-once.ts";
import { LABELS, unknownLabels } from "../labels.ts";

export function warnOfUnknownLabels({ id, name, labels }: Container, warnings: WarnOnce): void {
  const unknown = unknownLabels(labels);
  if (unknown.length === 0) return;
  const reason = `the proxy knows only ${Object.keys(LABELS).join(", ")}; correct or remove the others`;
  warnings.warn([id], "unknown labels", { container: name, labels: someOf(unknown), reason });
}
