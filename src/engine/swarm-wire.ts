/**
 * Parses the answers of a swarm manager, from JSON to the types of swarm.ts. Pure. Names of the wire
 * format stay inside this file. Sources: Engine API `GET /services`, `/tasks` and `/nodes`, the same
 * since API 1.24.
 *
 * The parser never leaves an entry out, because a task that is missing in the answer counts as ended.
 * So one entry that routing cannot use makes the whole answer invalid, and the proxy keeps the old
 * one. A malformed field that only people read becomes unknown instead.
 */
import { z } from "zod/mini";
import { isIpv4, isIpv6 } from "../ground/ip-address.ts";
import type { HostPort, Service, SwarmNode, SwarmTask } from "./swarm.ts";

const Text = z.nullish(z.string());
const Labels = z.nullish(z.record(z.string(), z.string()));
const Count = z.nullish(z.number());
/** For fields that only people read. */
const ShownText = z.catch(Text, undefined);
const ShownCount = z.catch(Count, undefined);

const WireUpdate = z.object({ State: ShownText, Message: ShownText, StartedAt: ShownText });

const WirePort = z.object({
  Protocol: Text,
  TargetPort: Count,
  PublishedPort: Count,
  PublishMode: Text,
});

const WireService = z.object({
  ID: z.string(),
  Spec: z.object({
    Name: z.string(),
    Labels,
    TaskTemplate: z.nullish(
      z.object({
        ContainerSpec: z.nullish(
          z.object({
            Labels,
            Healthcheck: z.nullish(z.object({ Test: z.nullish(z.array(z.string())) })),
            StopGracePeriod: ShownCount,
          }),
        ),
      }),
    ),
    Mode: z.nullish(
      z.object({
        Replicated: z.nullish(z.object({ Replicas: ShownCount })),
        ReplicatedJob: z.nullish(z.unknown()),
        GlobalJob: z.nullish(z.unknown()),
      }),
    ),
    EndpointSpec: z.nullish(z.object({ Ports: z.nullish(z.array(WirePort)) })),
  }),
  UpdateStatus: z.catch(z.nullish(WireUpdate), undefined),
});

const WireTask = z.object({
  ID: z.string(),
  CreatedAt: z.string(),
  ServiceID: Text,
  Slot: Count,
  NodeID: Text,
  DesiredState: z.string(),
  Spec: z.nullish(z.object({ NetworkAttachmentSpec: z.nullish(z.object({ ContainerID: Text })) })),
  Status: z.object({
    State: z.string(),
    Timestamp: ShownText,
    Err: ShownText,
    Message: ShownText,
    ContainerStatus: z.nullish(z.object({ ContainerID: Text, ExitCode: ShownCount })),
    PortStatus: z.nullish(z.object({ Ports: z.nullish(z.array(WirePort)) })),
  }),
  NetworksAttachments: z.nullish(
    z.array(
      z.object({
        Network: z.object({
          ID: z.string(),
          Spec: z.nullish(z.object({ Name: Text, Ingress: z.nullish(z.boolean()) })),
        }),
        Addresses: z.nullish(z.array(z.string())),
      }),
    ),
  ),
});

const WireNode = z.object({
  ID: z.string(),
  Description: z.catch(z.nullish(z.object({ Hostname: Text })), undefined),
  Status: z.nullish(z.object({ State: ShownText, Addr: Text })),
  ManagerStatus: z.nullish(z.object({ Addr: Text })),
});

const Services = z.array(WireService);
const Tasks = z.array(WireTask);
const Nodes = z.array(WireNode);

/** The engine's default when the spec has no value: moby `defaults.Service`. */
const STOP_TIMEOUT_MS = 10_000;
const NS_PER_MS = 1e6;

/** @throws {z.core.$ZodError} if the reply is not an answer to `GET /services` */
export function parseServices(reply: unknown): readonly Service[] {
  return Services.parse(reply).map(({ ID, Spec, UpdateStatus }): Service => {
    const container = Spec.TaskTemplate?.ContainerSpec;
    const { Replicated, ReplicatedJob, GlobalJob } = Spec.Mode ?? {};
    return {
      id: ID,
      name: Spec.Name,
      labels: Spec.Labels ?? {},
      containerLabels: container?.Labels ?? {},
      healthcheck: healthcheckOf(container?.Healthcheck?.Test ?? []),
      stopTimeoutMs: stopTimeoutOf(container?.StopGracePeriod ?? undefined),
      hostPorts: (Spec.EndpointSpec?.Ports ?? []).flatMap(wantedHostPort),
      replicas: Replicated == null ? undefined : (Replicated.Replicas ?? 1),
      isJob: ReplicatedJob != null || GlobalJob != null,
      update: updateOf(UpdateStatus ?? {}),
    };
  });
}

function stopTimeoutOf(graceNs: number | undefined): number {
  return graceNs === undefined ? STOP_TIMEOUT_MS : graceNs / NS_PER_MS;
}

function updateOf({ State, Message, StartedAt }: z.infer<typeof WireUpdate>): Service["update"] {
  if (!State) return undefined;
  return { state: State, message: Message ?? "", startedAtMs: Date.parse(StartedAt ?? "") };
}

function healthcheckOf([kind]: readonly string[]): Service["healthcheck"] {
  if (kind === undefined || kind === "") return "not given"; // an empty test means the image's own
  return kind === "NONE" ? "none" : "given";
}

/** @throws {z.core.$ZodError} if the reply is not an answer to `GET /tasks` */
export function parseTasks(reply: unknown): readonly SwarmTask[] {
  return Tasks.parse(reply).map((wire): SwarmTask => {
    const { Status, Spec } = wire;
    const attached = Spec?.NetworkAttachmentSpec?.ContainerID; // attachments have no container status
    return {
      id: wire.ID,
      serviceId: wire.ServiceID ?? "",
      slot: wire.Slot ?? 0,
      nodeId: wire.NodeID ?? "",
      createdAtMs: Date.parse(wire.CreatedAt) || 0, // not NaN: it is part of the identity of a run
      state: Status.State,
      desiredState: wire.DesiredState,
      stateSinceMs: Date.parse(Status.Timestamp ?? ""),
      error: Status.Err ?? "",
      message: Status.Message ?? "",
      containerId: Status.ContainerStatus?.ContainerID ?? attached ?? "",
      exitCode: Status.ContainerStatus?.ExitCode ?? undefined,
      networks: (wire.NetworksAttachments ?? []).map(({ Network, Addresses }) => ({
        id: Network.ID,
        name: Network.Spec?.Name ?? "",
        isIngress: Network.Spec?.Ingress ?? false,
        addresses: (Addresses ?? []).flatMap(withoutPrefix),
      })),
      hostPorts: (Status.PortStatus?.Ports ?? []).flatMap(hostPort),
    };
  });
}

/**
 * @param written like `10.0.1.5/24`
 * @returns an empty list if the text is not an address, because the result goes into URLs
 */
function withoutPrefix(written: string): readonly string[] {
  const [address = ""] = written.split("/", 1);
  return isIp(address) ? [address] : [];
}

/** The port in the spec of a service. The service may let its nodes choose the published number. */
function wantedHostPort(wire: z.infer<typeof WirePort>): readonly HostPort[] {
  const { Protocol, TargetPort, PublishedPort, PublishMode } = wire;
  if (PublishMode !== "host" || !isPort(TargetPort)) return [];
  const publishedPort = isPort(PublishedPort) ? PublishedPort : 0;
  return [{ protocol: Protocol ?? "tcp", targetPort: TargetPort, publishedPort }];
}

/** The port of a task. By now its node has chosen the published number. */
function hostPort(wire: z.infer<typeof WirePort>): readonly HostPort[] {
  return wantedHostPort(wire).filter(({ publishedPort }) => publishedPort !== 0);
}

function isPort(port: number | null | undefined): port is number {
  return Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;
}

/** @throws {z.core.$ZodError} if the reply is not an answer to `GET /nodes` */
export function parseNodes(reply: unknown): readonly SwarmNode[] {
  return Nodes.parse(reply).map(
    ({ ID, Description, Status, ManagerStatus }): SwarmNode => ({
      id: ID,
      hostname: Description?.Hostname ?? "",
      state: Status?.State ?? "",
      address: addressOf(Status?.Addr ?? "", ManagerStatus?.Addr ?? ""),
    }),
  );
}

/**
 * The address of a node. A manager may not know its own address as other nodes see it.
 *
 * @param asManager with a port
 */
function addressOf(address: string, asManager: string): string {
  const isKnown = isIp(address) && address !== "0.0.0.0" && address !== "::";
  if (isKnown) return address;
  const withoutPort = asManager.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return isIp(withoutPort) ? withoutPort : "";
}

function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}
