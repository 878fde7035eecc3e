/** The connection of a real client. A test replaces some of its calls. */
import type { Client } from "../../../src/proxy/exchange.ts";

export function clientWith(client: Client, replaced: Partial<Client>): Client {
  return {
    address: client.address,
    upgrade: (headers, listener) => client.upgrade(headers, listener),
    expect: () => client.expect(),
    keepOpen: () => client.keepOpen(),
    release: () => client.release(),
    ...replaced,
  };
}
