/** Inspect reply → Container: what the engine says of one container, as far as we use it. Pure. */
import { z } from "zod/mini";
import { isIpv4, isIpv6 } from "../ground/ip-address.ts";

type Health = "none" | "starting" | "healthy" | "unhealthy";

export type Network = {
  readonly name: string;
  readonly id: string;
  /** Empty if there is none: the container is not running, or the network has no such addresses. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** IPv4 address of the host in this network; empty if there is none. */
  readonly gateway: string;
};

/** A TCP port of the host that leads to one of the container's. */
export type PublishedPort = {
  readonly port: number;
  readonly hostPort: number;
  /** Empty, `0.0.0.0` or `::`: all. */
  readonly hostAddress: string;
};

export type Container = {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly status: string;
  readonly health: Health;
  /** The end of what the last probe printed, in one line. */
  readonly probeOutput: string;
  /** Of the last run that has ended; 0 while the first one goes on. */
  readonly exitCode: number;
  /** Whether that run was killed for want of memory. */
  readonly outOfMemory: boolean;
  /** Why the engine could not start it; empty if it could. */
  readonly startError: string;
  /** When this run began; a new run of the same container has another one. */
  readonly startedAtMs: number;
  /** Number of the signal that `docker stop` sends. */
  readonly stopSignal: number;
  /** How long `docker stop` waits before SIGKILL; may be infinite. */
  readonly stopTimeoutMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Docker merges labels into the attributes of its events: one named `signal` hides that of a kill. */
  readonly signalIsHidden: boolean;
  /** Base names of the words in the command that it runs. */
  readonly programs: readonly string[];
  /** `default`, `bridge`, `host`, `none`, `container:<id>` or the name of a network. */
  readonly networkMode: string;
  readonly networks: readonly Network[];
  readonly published: readonly PublishedPort[];
};

/** Engine API `GET /containers/{id}/json`, 1.24 to 1.52; only what is used, the rest may pass. */
const WireContainer = z.object({
  Id: z.string(),
  Name: z.string(),
  Path: z.nullish(z.string()),
  Args: z.nullish(z.array(z.string())),
  State: z.object({
    Status: z.string(),
    StartedAt: z.string(),
    ExitCode: z.nullish(z.number()),
    OOMKilled: z.nullish(z.boolean()),
    Error: z.nullish(z.string()),
    Health: z.nullish(
      z.object({
        Status: z.string(),
        Log: z.nullish(z.array(z.object({ Output: z.nullish(z.string()) }))),
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

/** @throws if the reply is not that of an engine */
export function parseContainer(reply: unknown): Container {
  const wire = WireContainer.parse(reply);
  const labels = wire.Config.Labels ?? {};
  return {
    id: wire.Id,
    name: wire.Name.replace(/^\//, ""),
    status: wire.State.Status,
    health: healthOf(wire.State.Health?.Status),
    probeOutput: oneLine(wire.State.Health?.Log?.at(-1)?.Output ?? ""),
    exitCode: wire.State.ExitCode ?? 0,
    outOfMemory: wire.State.OOMKilled ?? false,
    startError: oneLine(wire.State.Error ?? ""),
    startedAtMs: parseTimeMs(wire.State.StartedAt),
    stopSignal: signalNumber(wire.Config.StopSignal ?? ""),
    stopTimeoutMs: stopTimeoutMs(wire.Config.StopTimeout ?? STOP_TIMEOUT_S),
    labels,
    signalIsHidden: Object.hasOwn(labels, "signal"),
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

/** A wrapper may have all of a command in one argument: `sh -c "exec program"`. */
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

/** @param binding like `8000/tcp`, and where on the host that is */
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

/** It goes into URLs: what is no address counts as none. */
function addressOf(isOne: (text: string) => boolean, text: string | null | undefined): string {
  return text && isOne(text) ? text : "";
}

const LINE_LENGTH_MAX = 300;

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(-LINE_LENGTH_MAX);
}

/** Whether the engine has it run, or will: not yet stopped for good. `stopping` is Podman's. */
export function isAlive({ status }: Container): boolean {
  return ["running", "paused", "restarting", "stopping"].includes(status);
}

/** Negative: for ever (`docker run --stop-timeout -1`). */
function stopTimeoutMs(seconds: number): number {
  return seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

/** No HEALTHCHECK: the key is absent on Docker, `none` or empty elsewhere. */
function healthOf(status: string | undefined): Health {
  return status === "starting" || status === "healthy" || status === "unhealthy" ? status : "none";
}

/**
 * RFC 3339 with nanoseconds → ms since the epoch with fractions (a double is good to 0.3 µs today).
 * Date.parse alone drops what is below a millisecond, and a run and an event can be that close.
 */
export function parseTimeMs(text: string): number {
  const subMs = /\.\d{3}(\d+)/.exec(text)?.[1] ?? "0";
  const timeMs = Date.parse(text) + Number(`0.${subMs}`);
  return Number.isNaN(timeMs) ? 0 : timeMs; // NaN is no time that is the same when it is read again
}

const SIGTERM = 15;
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** `SIGINT`, `INT`, `2`, `SIGRTMIN+3`; empty or unknown means Docker's default. */
function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime !== null) {
    const [, end, sign, offset = "0"] = realTime;
    return (end === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(`${sign ?? ""}${offset}`);
  }
  if (name === "" || name === "TERM") return SIGTERM; // nearly all: the rest is not loaded for them
  const { constants } = process.getBuiltinModule("node:os");
  const signals: Readonly<Record<string, number>> = constants.signals;
  return signals[`SIG${name}`] ?? SIGTERM;
}
