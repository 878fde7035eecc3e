/** What managers show of services and tasks: recorded replies, and small made-up entries. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Json = Readonly<Record<string, unknown>>;

/** @param name of a file in `swarm`, recorded on the engine that it names */
export function recordedReply(name: string): readonly Json[] {
  const path = join(import.meta.dir, "swarm", `${name}.json`);
  return JSON.parse(readFileSync(path, "utf8")) as readonly Json[];
}

/** @param rest beside its spec */
export function service(spec: Json = {}, rest: Json = {}): Json {
  return { ID: "s-id", Spec: { Name: "s", ...spec }, ...rest };
}

/** @param status what its status says beside its state */
export function task(rest: Json = {}, status: Json = {}): Json {
  return {
    ID: "t",
    CreatedAt: "1970-01-01T00:00:01Z",
    DesiredState: "running",
    Status: { State: "pending", ...status },
    ...rest,
  };
}
