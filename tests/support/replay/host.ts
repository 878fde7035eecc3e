/** Stands in for the containers' network in a replay: a few addresses of the loopback network. */

/** Addresses of this host. One server answers at all of them, whether a container has the address or not. */
export type Host = Disposable & {
  readonly addresses: readonly string[];
  readonly port: number;
  /** Answers GET {base_path}/models at an address. */
  answer: (address: string) => Promise<Response>;
};

const ADDRESSES_OF_HOST = 8;

/** @param number chooses one of 250 address ranges that can exist at the same time */
export function startHost(number: number): Host {
  const addresses = Array.from(
    { length: ADDRESSES_OF_HOST },
    (_, n) => `127.77.${number}.${n + 1}`,
  );
  let port = 0;
  const servers = addresses.map((hostname) => {
    const server = Bun.serve({ port, hostname, fetch: () => host.answer(hostname) });
    port = server.port ?? 0;
    return server;
  });
  const host: Host = {
    addresses,
    port,
    answer: async () => new Response(null, { status: 502 }),
    [Symbol.dispose]: () => {
      for (const server of servers) void server.stop(true);
    },
  };
  return host;
}
