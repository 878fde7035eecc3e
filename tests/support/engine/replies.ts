/**
 * The JSON of an engine's answers: recorded replies, with the values that the test wants. Sends nothing: see
 * fake.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "inspect");

type InspectReply = {
  Id: string;
  Name: string;
  RestartCount?: number;
  State: {
    Status: string;
    StartedAt: string;
    FinishedAt?: string;
    ExitCode?: number;
    OOMKilled?: boolean;
    Health?: { Status: string; Log?: { Output: string }[] } | undefined;
  };
  Config: { Labels: Record<string, string>; StopSignal?: string; StopTimeout?: number };
  NetworkSettings: { Networks: Record<string, { NetworkID: string; IPAddress: string }> };
};

export type Answer = {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
};

export type FakeContainer = {
  readonly id: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  status: string;
  /** Undefined: the container has no HEALTHCHECK. */
  health: string | undefined;
  startedAtMs: number;
  ipAddress: string;
  stopSignal?: string;
  /** The output of the last health probe. */
  probeOutput?: string;
  stopTimeoutS?: number;
  /** The exit code of its last run. */
  exitCode?: number;
  outOfMemory?: boolean;
  finishedAtMs?: number;
  /** How often the engine has restarted it. A start by hand resets this to 0. */
  restartCount?: number;
};

/** The newest and the oldest API version of each Docker release. Source: config.go of each tag. */
export const RELEASES = {
  "20.10": ["1.41", "1.12"],
  "26": ["1.45", "1.24"],
  "29.0": ["1.52", "1.44"],
  "29.3": ["1.54", "1.40"],
} as const;

/**
 * Before 1.24 a refusal is plain text. From 1.52 on, events and inspect no longer have their duplicate
 * fields.
 */
const API_24 = 24;
export const API_52 = 52;

export function minor(version: string): number {
  return Number(version.split(".")[1]);
}

/** Refuses an API version, in the exact words of Docker 20.10 to 29. */
export function versionRefusal(
  version: string,
  { apiVersion, minApiVersion }: { readonly apiVersion: string; readonly minApiVersion: string },
): Answer | undefined {
  if (minor(version) > minor(apiVersion)) {
    const message = `client version ${version} is too new. Maximum supported API version is ${apiVersion}`;
    return json({ message }, 400);
  }
  if (minor(version) >= minor(minApiVersion)) return undefined;
  const message = `client version ${version} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`;
  return minor(version) < API_24
    ? { status: 400, body: message, contentType: "text/plain" }
    : json({ message }, 400);
}

export function json(body: unknown, status = 200): Answer {
  return { status, body: JSON.stringify(body) };
}

/** @param asked the number after `1.` in the API version */
export function inspectReplyOf(container: FakeContainer, asked = 41): InspectReply {
  const reply = readFixture("docker-20.10.24-user-bridge.json");
  reply.Id = container.id;
  reply.Name = `/${container.name}`;
  reply.State.Status = container.status;
  reply.State.StartedAt = timeText(container.startedAtMs);
  reply.State.Health =
    container.health === undefined
      ? undefined
      : { Status: container.health, Log: [{ Output: container.probeOutput ?? "" }] };
  reply.State.ExitCode = container.exitCode ?? 0;
  reply.State.OOMKilled = container.outOfMemory ?? false;
  reply.RestartCount = container.restartCount ?? 0;
  if (container.finishedAtMs !== undefined) {
    reply.State.FinishedAt = timeText(container.finishedAtMs);
  }
  reply.Config.Labels = container.labels;
  if (container.stopSignal !== undefined) reply.Config.StopSignal = container.stopSignal;
  if (container.stopTimeoutS !== undefined) reply.Config.StopTimeout = container.stopTimeoutS;
  for (const network of Object.values(reply.NetworkSettings.Networks)) {
    network.IPAddress = ["running", "paused", "stopping"].includes(container.status)
      ? container.ipAddress
      : "";
  }
  if (asked >= API_52) reply.NetworkSettings = { Networks: reply.NetworkSettings.Networks };
  return reply;
}

export function readFixture(name: string): InspectReply {
  return JSON.parse(readFixtureText(name)) as InspectReply;
}

export function readFixtureText(name: string): string {
  return readFileSync(join(FIXTURES, name), "utf8");
}

/** RFC 3339 as the engine writes it, with microseconds: an event may be that close to a start. */
function timeText(timeMs: number): string {
  const wholeMs = Math.floor(timeMs);
  const microseconds = Math.min(999, Math.round((timeMs - wholeMs) * 1000));
  return new Date(wholeMs).toISOString().replace("Z", `${String(microseconds).padStart(3, "0")}Z`);
}
