/**
 * Reads the addresses of the machine or container that we run in, and looks up addresses of other
 * hosts. It writes all addresses in one form, so that equal addresses are equal texts. It does not
 * decide what an address is used for.
 */
import { networkInterfaces } from "node:os";

/** Returns the addresses of all interfaces, including loopback, as `canonicalAddress` writes them. */
export function readOwnAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all = []) =>
    all.map(({ address }) => canonicalAddress(address)),
  );
}

const LOOK_UP_BOUND_MS = 3_000;

/** @returns all addresses of a host, canonical; an empty list if it does not resolve in time */
export async function lookUpAddresses(
  host: string,
  boundMs = LOOK_UP_BOUND_MS,
): Promise<readonly string[]> {
  const { lookup } = await import("node:dns/promises");
  const late = Promise.withResolvers<[]>();
  const timer = setTimeout(() => late.resolve([]), boundMs);
  const all = lookup(host.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
  const found = await Promise.race([all, late.promise]);
  clearTimeout(timer);
  return found.map(({ address }) => canonicalAddress(address));
}

/**
 * @param address in any notation: in brackets, with a zone, or IPv4 written as IPv6
 * @returns the canonical form of the address; a text that is not an address stays unchanged
 */
export function canonicalAddress(address: string): string {
  const bare = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  if (!bare.includes(":") || !URL.canParse(`http://[${bare}]`)) return bare;
  const ipv6 = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(ipv6) ?? [];
  if (high === undefined || low === undefined) return ipv6;
  return [high, low]
    .map((part) => Number.parseInt(part, 16))
    .flatMap((part) => [part >> 8, part & 255])
    .join(".");
}

/** @param address canonical */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address);
}
