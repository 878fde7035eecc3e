/** Networks of a real engine. Each is removed at the end of the block that holds it (`await using`). */
import { dockerCli, TEST_LABEL } from "../server/inference-server/image.ts";

let counter = 0;

/**
 * @param flags of `docker network create`
 * @returns the name. The names of the first ten networks sort in the order of the calls
 */
export async function createNetwork(
  ...flags: readonly string[]
): Promise<AsyncDisposable & { readonly name: string }> {
  const name = `lw-inference-proxy-test-net-${process.pid}-${counter}`;
  counter += 1;
  await dockerCli("network", "create", "--label", TEST_LABEL, ...flags, name);
  return {
    name,
    [Symbol.asyncDispose]: async () => {
      await dockerCli("network", "rm", name);
    },
  };
}

/** A container's endpoint in a network. */
export type Endpoint = {
  /** IPv4; empty if there is none. */
  readonly address: string;
  /** The host's address in this network. */
  readonly gateway: string;
};

/** @returns a map: container name → network name → endpoint */
export async function endpointsOf(
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, Endpoint>>> {
  const format = "{{.Name}} {{json .NetworkSettings.Networks}}";
  const lines = (await dockerCli("inspect", "--format", format, ...names)).trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [, name = "", json = "{}"] = /^\/(\S+) (.*)$/.exec(line) ?? [];
      const networks = JSON.parse(json) as Readonly<
        Record<string, { readonly IPAddress: string; readonly Gateway: string }>
      >;
      return [
        name,
        new Map(
          Object.entries(networks).map(([network, { IPAddress, Gateway }]) => [
            network,
            { address: IPAddress, gateway: Gateway },
          ]),
        ),
      ];
    }),
  );
}

/** The container's IPv4 address in this network. */
export async function addressIn(network: string, container: string): Promise<string> {
  const endpoint = (await endpointsOf([container])).get(container)?.get(network);
  if (endpoint === undefined) throw new Error(`${container} is not on network ${network}`);
  return endpoint.address;
}
