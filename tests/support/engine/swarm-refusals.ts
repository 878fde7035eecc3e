/** The recorded answers of an engine that refuses to answer about a swarm. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "./replies.ts";

/** How the engine answers requests about the swarm. */
export type SwarmMode =
  | "manager"
  | "no swarm"
  | "worker"
  | "locked"
  | "being prepared"
  | "deadline"
  | "no leader"
  /** A socket proxy in front of the engine refuses such requests. */
  | "forbidden"
  /** No answer, as during an election. */
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

/** Not recorded. Taken from the source of moby. */
const PREPARED = {
  message:
    "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.",
};

/** The refusal for services, tasks and nodes in this mode. */
export function refusalOf(mode: Exclude<SwarmMode, "manager" | "hang">): Answer {
  if (mode === "being prepared") return { status: 503, body: JSON.stringify(PREPARED) };
  const found = REFUSALS.find(({ engine }) => engine.startsWith(RECORDED[mode] ?? "?"));
  if (found === undefined) throw new Error(`There is no recording of the mode "${mode}"`);
  const { status, body, "content-type": contentType } = found;
  if (typeof body !== "string") return { status, body: JSON.stringify(body) };
  return { status, body, ...(contentType !== undefined && { contentType }) };
}
