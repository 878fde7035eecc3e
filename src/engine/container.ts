/**
 * Turns the engine's answer to an inspect into a `Container`: the fields of one container that we
 * use. Pure. It does not decide whether the proxy routes to the container.
 */
import { z } from "zod/mini";
import { isIpv4, isIpv6 } from "../ground/ip-address.ts";
import { signalNumber } from "./signals.ts";

type Health = "none" | "starting" | "healthy" | "unhealthy";

export type Network = {
  readonly name: string;
  readonly id: string;
  /** Empty if the container does not run or the network has no IPv4. The same holds for `ipv6`. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** IPv4 address of the host in this network; empty if the host has none there. */
  readonly gateway: string;
};

/** A TCP port of the host that leads to a port of the container. */
export type PublishedPort = {
  readonly port: number;
  readonly hostPort: number;
  /** The host's address that the port is bound to. Empty, `0.0.0.0` and `::` mean all addresses. */
  readonly hostAddress: string;
};

export type Container = {
  readonly id: string;
  /** Without the leading slash that the engine writes. */
  readonly name: string;
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly status: string;
  readonly health: Health;
  /** The end of the output of the last probe, in one line. */
  readonly probeOutput: string;
  /** True if a probe has ended in this run and the last probe that ended has failed. */
  readonly hasFailedProbe: boolean;
  /** Exit code of the last run that has ended; 0 during the first run. */
  readonly exitCode: number;
  /** True if the kernel killed one of its processes because memory ran out. */
  readonly outOfMemory: boolean;
  /** Why the engine could not start the container; empty if it could. */
  readonly startError: string;
  /** When the current run began. Each run of a container has a different value. */
  readonly startedAtMs: number;
  /** The end of the last run that has ended; before 1970 if no run has ended. */
  readonly finishedAtMs: number;
  /** How often the engine itself has restarted it since a person or a tool started it. */
  readonly restartCount: number;
  /** Number of the signal that `docker stop` sends to this container. */
  readonly stopSignal: number;
  /** How long `docker stop` waits before it sends SIGKILL; may be infinite. */
  readonly stopTimeoutMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /**
   * True if the container has a label named `signal`. Docker merges labels into the attributes of
   * its events, so this label hides the signal of a kill event.
   */
  readonly signalIsHidden: boolean;
  /** True if the container has a label named `exitCode`. It hides the exit code of a `die` event. */
  readonly exitCodeIsHidden: boolean;
  /** Base names of all words in the command that the container runs. */
  readonly programs: readonly string[];
  /** `default`, `bridge`, `host`, `none`, `container:<id>` or the name of a network. */
  readonly networkMode: string;
  readonly networks: readonly Network[];
  readonly published: readonly PublishedPort[];
};

const WireProbe = z.object({
  Output: z.nullish(z.string()),
  ExitCode: z.nullish(z.number()),
});

/**
 * The answer to Engine API `GET /containers/{id}/json`, versions 1.24 to 1.52. It names the fields
 * that we use, and does not check the others.
 */
const WireContainer = z.object({
  Id: z.string(),
  Name: z.string(),
  Path: z.nullish(z.string()),
  Args: z.nullish(z.array(z.string())),
  RestartCount: z.nullish(z.number()),
  State: z.object({
    Status: z.string(),
    StartedAt: z.string(),
    FinishedAt: z.nullish(z.string()),
    ExitCode: z.nullish(z.number()),
    OOMKilled: z.nullish(z.boolean()),
    Error: z.nullish(z.string()),
    Health: z.nullish(
      z.object({
        Status: z.string(),
        Log: z.nullish(z.array(WireProbe)),
      }),
    ),
  }),
  Config: z.object({
    Labels: z.nullish(z.record(z.string(), z.string())),
    StopSignal: z.nullish(z.string()),
    StopTimeout: z.nullish(z.number()),
  }),
  HostConfig: z.object({ NetworkMode: z.nullish(z.string()) }),
  NetworkSettings: z.object({
    Ports: z.nullish(
      z.record(
        z.string(),
        z.nullish(
          z.array(z.object({ HostIp: z.nullish(z.string()), HostPort: z.nullish(z.string()) })),
        ),
      ),
    ),
    Networks: z.nullish(
      z.record(
        z.string(),
        z.object({
          NetworkID: z.nullish(z.string()),
          IPAddress: z.nullish(z.string()),
          GlobalIPv6Address: z.nullish(z.string()),
          Gateway: z.nullish(z.string()),
        }),
      ),
    ),
  }),
});

const STOP_TIMEOUT_S = 10;

/** @throws if the reply does not have the form of an engine's answer */
export function parseContainer(reply: unknown): Container {
  const wire = WireContainer.parse(reply);
  const labels = wire.Config.Labels ?? {};
  return {
    id: wire.Id,
    name: wire.Name.replace(/^\//, ""),
    status: wire.State.Status,
    health: healthOf(wire.State.Health?.Status),
    ...lastProbeOf(wire.State.Health?.Log),
    ...lastRunOf(wire.State),
    startedAtMs: parseTimeMs(wire.State.StartedAt),
    restartCount: wire.RestartCount ?? 0,
    stopSignal: signalNumber(wire.Config.StopSignal ?? ""),
    stopTimeoutMs: stopTimeoutMs(wire.Config.StopTimeout ?? STOP_TIMEOUT_S),
    labels,
    signalIsHidden: Object.hasOwn(labels, "signal"),
    exitCodeIsHidden: Object.hasOwn(labels, "exitCode"),
    programs: [wire.Path ?? "", ...(wire.Args ?? [])].flatMap(baseNames),
    networkMode: wire.HostConfig.NetworkMode ?? "",
    networks: Object.entries(wire.NetworkSettings.Networks ?? {}).map(([name, network]) => ({
      name,
      id: network.NetworkID ?? "",
      ipv4: addressOf(isIpv4, network.IPAddress),
      ipv6: addressOf(isIpv6, network.GlobalIPv6Address),
      gateway: addressOf(isIpv4, network.Gateway),
    })),
    published: Object.entries(wire.NetworkSettings.Ports ?? {}).flatMap(publishedPorts),
  };
}

function lastRunOf(
  state: z.infer<typeof WireContainer>["State"],
): Pick<Container, "exitCode" | "outOfMemory" | "startError" | "finishedAtMs"> {
  return {
    exitCode: state.ExitCode ?? 0,
    outOfMemory: state.OOMKilled ?? false,
    startError: oneLine(state.Error ?? ""),
    finishedAtMs: parseTimeMs(state.FinishedAt ?? ""),
  };
}

/** @param log the last probes that have ended, oldest first */
function lastProbeOf(
  log: readonly z.infer<typeof WireProbe>[] | null | undefined,
): Pick<Container, "probeOutput" | "hasFailedProbe"> {
  const last = log?.at(-1);
  return {
    probeOutput: oneLine(last?.Output ?? ""),
    hasFailedProbe: last !== undefined && last.ExitCode !== 0,
  };
}

/** Splits into words, because one argument may contain a whole command: `sh -c "exec program"`. */
function baseNames(words: string): readonly string[] {
  return words
    .split(/\s+/)
    .map((word) => word.slice(word.lastIndexOf("/") + 1))
    .filter((name) => name !== "");
}

type Binding = {
  readonly HostIp?: string | null | undefined;
  readonly HostPort?: string | null | undefined;
};

/** @param binding a container port like `8000/tcp`, and the ports of the host that lead to it */
function publishedPorts([name, bindings]: readonly [
  name: string,
  bindings: readonly Binding[] | null | undefined,
]): readonly PublishedPort[] {
  const port = /^(\d+)\/tcp$/.exec(name)?.[1];
  if (port === undefined) return [];
  return (bindings ?? []).map(({ HostIp, HostPort }) => ({
    port: Number(port),
    hostPort: Number(HostPort ?? ""),
    hostAddress: HostIp ?? "",
  }));
}

/** We write these addresses into URLs. So a text that is not an address becomes an empty text. */
function addressOf(isOne: (text: string) => boolean, text: string | null | undefined): string {
  return text && isOne(text) ? text : "";
}

const LINE_LENGTH_MAX = 300;

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(-LINE_LENGTH_MAX);
}

/**
 * True if the container runs, or the engine will restart it. Only Podman has the status `stopping`.
 */
export function isAlive({ status }: Container): boolean {
  return ["running", "paused", "restarting", "stopping"].includes(status);
}

/** A negative number means no limit (`docker run --stop-timeout -1`). */
function stopTimeoutMs(seconds: number): number {
  return seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

/** Without a HEALTHCHECK, Docker shows no health status. Other engines show `none` or nothing. */
function healthOf(status: string | undefined): Health {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : "none";
}

/**
 * Parses RFC 3339 with nanoseconds into ms since the epoch, with fractions (a double is good to
 * 0.3 µs today). `Date.parse` alone drops everything below a millisecond, but less than a
 * millisecond can lie between a run and an event.
 */
export function parseTimeMs(text: string): number {
  const subMs = /\.\d{3}(\d+)/.exec(text)?.[1] ?? "0";
  const timeMs = Date.parse(text) + Number(`0.${subMs}`);
  // NaN never equals itself: with NaN, each inspect would seem to show a new run.
  return Number.isNaN(timeMs) ? 0 : timeMs;
}
