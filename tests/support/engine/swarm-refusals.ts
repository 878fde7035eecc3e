/** What an engine answers that does not tell of a swarm, as it was recorded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "./replies.ts";

/** How its engine answers what is asked of the swarm. */
export type SwarmMode =
  | "manager"
  | "no swarm"
  | "worker"
  | "locked"
  | "being prepared"
  | "deadline"
  | "no leader"
  /** A socket proxy is in front of it, and does not let such requests through. */
  | "forbidden"
  /** As during an election. */
  | "hang";

const RECORDED: Readonly<Record<string, string>> = {
  "no swarm": "never in a swarm",
  worker: "worker",
  locked: "manager whose key is locked",
  deadline: "manager without quorum (from about 17 s on)",
  "no leader": "manager without quorum (from about 40 s on)",
  forbidden: "behind a socket proxy",
};

type Recorded = {
  readonly engine: string;
  readonly status: number;
  readonly "content-type"?: string;
  readonly body: unknown;
};

const REFUSALS = readFileSync(join(import.meta.dir, "swarm/not-a-manager.ndjson"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Recorded);

/** Not recorded, but read in the source of moby. */
const PREPARED = {
  message:
    "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.",
};

/** What the engine says of services, tasks and nodes if it does not tell of them. */
export function refusalOf(mode: Exclude<SwarmMode, "manager" | "hang">): Answer {
  if (mode === "being prepared") return { status: 503, body: JSON.stringify(PREPARED) };
  const found = REFUSALS.find(({ engine }) => engine.startsWith(RECORDED[mode] ?? "?"));
  if (found === undefined) throw new Error(`There is no recording of "${mode}"`);
  const { status, body, "content-type": contentType } = found;
  if (typeof body !== "string") return { status, body: JSON.stringify(body) };
  return { status, body, ...(contentType !== undefined && { contentType }) };
}
