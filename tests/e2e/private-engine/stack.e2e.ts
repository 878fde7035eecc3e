/**
 * deploy/stack.yaml on a real manager, unchanged and with the socket proxy: what Docker's client prints, and
 * what the manager makes of the file. Images cannot be pulled, so only tasks of vLLM run. Its image is our
 * stand-in.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LoneManager, whyNoLoneManager } from "../../support/engine/lone-manager.ts";
import { buildInferenceImage } from "../../support/server/inference-server/image.ts";
import { STACK_PATH, withSocketProxy } from "../../support/stack-file.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
const GPU = "GPU-01234567";
const WHY_NOT = whyNoLoneManager();
if (WHY_NOT !== undefined) console.log(`deploy/stack.yaml is not tested on a manager: ${WHY_NOT}`);

type ServiceItem = {
  readonly Spec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly TaskTemplate: {
      readonly ContainerSpec: { readonly StopGracePeriod?: number };
      readonly Placement: { readonly Constraints?: readonly string[] };
      readonly Resources: unknown;
    };
    readonly UpdateConfig?: unknown;
    readonly EndpointSpec: { readonly Mode: string };
  };
};

type Container = {
  readonly Config: { readonly Env: readonly string[] };
  readonly HostConfig: { readonly Mounts: readonly unknown[] };
};

const manager = new LoneManager();
const directory = temporaryDirectory();

beforeAll(async () => {
  if (WHY_NOT !== undefined) return;
  await manager.start([`--node-generic-resource=NVIDIA-GPU=${GPU}`]);
  await manager.initSwarm();
  const image = await buildInferenceImage(manager.docker);
  await manager.docker("tag", image, "vllm/vllm-openai:latest");
}, TIMEOUT_MS);

afterAll(async () => {
  directory[Symbol.dispose]();
  await manager[Symbol.asyncDispose]();
}, TIMEOUT_MS);

/** @returns the client's output on both streams, without the lines about what it creates */
async function deploy(path: string, stack: string): Promise<string> {
  const child = Bun.spawn(
    ["docker", "stack", "deploy", "--resolve-image", "never", "-c", path, stack],
    {
      env: { PATH: process.env["PATH"] ?? "", DOCKER_HOST: `unix://${manager.socketPath}` },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const said = (await child.stdout.text()) + (await child.stderr.text());
  expect([await child.exited, said]).toEqual([0, said]);
  return said
    .split("\n")
    .filter(
      (line) =>
        !/^(Creating (network|service) .*|(Since|In a future release,) --detach=false .*|)$/.test(
          line,
        ),
    )
    .join("\n");
}

async function ask<T>(path: string): Promise<T> {
  const reply = await fetch(`http://docker${path}`, { unix: manager.socketPath });
  return (await reply.json()) as T;
}

async function servicesOf(stack: string): Promise<Readonly<Record<string, ServiceItem["Spec"]>>> {
  const items = await ask<readonly ServiceItem[]>("/services");
  return Object.fromEntries(
    items
      .filter(({ Spec }) => Spec.Name.startsWith(`${stack}_`))
      .map(({ Spec }) => [Spec.Name.slice(stack.length + 1), Spec]),
  );
}

test.skipIf(WHY_NOT !== undefined)(
  "the client prints no warning, and the manager has what the file says",
  async () => {
    expect(await deploy(STACK_PATH, "plain")).toBe("");
    const { proxy, traefik, vllm } = await servicesOf("plain");
    expect(vllm?.Labels).toMatchObject({ "inference.enable": "true" });
    expect(vllm?.TaskTemplate.Resources).toMatchObject({
      Reservations: {
        GenericResources: [{ DiscreteResourceSpec: { Kind: "NVIDIA-GPU", Value: 1 } }],
      },
    });
    for (const spec of [proxy, traefik, vllm]) {
      expect(spec?.UpdateConfig).toMatchObject({ Order: "start-first", FailureAction: "rollback" });
      expect(spec?.TaskTemplate.ContainerSpec.StopGracePeriod).toBe(75_000_000_000);
    }
    expect([proxy, vllm, traefik].map((spec) => spec?.EndpointSpec.Mode)).toEqual([
      ...["dnsrr", "dnsrr", "vip"],
    ]);
    for (const spec of [proxy, traefik])
      expect(spec?.TaskTemplate.Placement.Constraints).toEqual(["node.role == manager"]);
  },
  TIMEOUT_MS,
);

test.skipIf(WHY_NOT !== undefined)(
  "a task of vLLM gets its GPU as docs/swarm.md says, and a large /dev/shm; the second task finds no GPU",
  async () => {
    let id = "";
    await until(
      "vLLM has a container",
      async () => {
        const ids = await manager.docker("ps", "--all", "--quiet", "--filter", "name=plain_vllm");
        id = ids.split("\n")[0] ?? "";
        return id !== "";
      },
      20_000,
    );
    const { Config, HostConfig } = await ask<Container>(`/containers/${id}/json`);
    expect(Config.Env).toContain(`DOCKER_RESOURCE_NVIDIA-GPU=${GPU}`);
    expect(HostConfig.Mounts).toContainEqual({
      ...{ Type: "tmpfs", Target: "/dev/shm", TmpfsOptions: { SizeBytes: 8 * 2 ** 30 } },
    });
    await until(
      "one task has no GPU",
      async () =>
        (
          await manager.docker(
            "service",
            "ps",
            "--no-trunc",
            "--format",
            "{{.Error}}",
            "plain_vllm",
          )
        ).includes("no suitable node (insufficient resources on 1 node)"),
      20_000,
    );
  },
  TIMEOUT_MS,
);

test.skipIf(WHY_NOT !== undefined)(
  "the manager accepts the file with the socket proxy, and only the socket proxy must run on a manager",
  async () => {
    // Docker refuses to remove the network while a task that is just ending still uses it.
    await until(
      "the stack is removed",
      () =>
        manager.docker("stack", "rm", "plain").then(
          () => true,
          () => false,
        ),
      30_000,
    );
    await until(
      "the network is gone",
      async () =>
        !(await manager.docker("network", "ls", "--format", "{{.Name}}")).includes("inference"),
      30_000,
    );
    const path = join(directory.path, "stack.yaml");
    writeFileSync(path, withSocketProxy());
    expect(await deploy(path, "guarded")).toBe("");
    const services = await servicesOf("guarded");
    const onManagers = Object.entries(services).filter(
      ([, { TaskTemplate }]) => TaskTemplate.Placement.Constraints !== undefined,
    );
    expect(onManagers.map(([name]) => name)).toEqual(["socket-proxy"]);
    expect(Object.keys(services).toSorted()).toEqual(["proxy", "socket-proxy", "traefik", "vllm"]);
  },
  TIMEOUT_MS,
);
