/** A manager's answers about services and tasks: recorded replies, and small made-up entries. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Json = Readonly<Record<string, unknown>>;

/** @param name a file in `swarm`. The name says on which engine it was recorded */
export function recordedReply(name: string): readonly Json[] {
  const path = join(import.meta.dir, "swarm", `${name}.json`);
  return JSON.parse(readFileSync(path, "utf8")) as readonly Json[];
}

/** @param rest fields other than the spec */
export function service(spec: Json = {}, rest: Json = {}): Json {
  return { ID: "s-id", Spec: { Name: "s", ...spec }, ...rest };
}

/** @param status fields of the status other than the state */
export function task(rest: Json = {}, status: Json = {}): Json {
  return {
    ID: "t",
    CreatedAt: "1970-01-01T00:00:01Z",
    DesiredState: "running",
    Status: { State: "pending", ...status },
    ...rest,
  };
}
