/**
 * Ends TLS in front of a port, as a front proxy does, and relays the decrypted bytes in both directions. For
 * clients that only support `wss:`. Its certificate is self-signed: clients must accept any certificate.
 */
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer } from "node:tls";
import { within } from "../until.ts";

export type TlsRelay = Disposable & { readonly port: number };

export async function startTlsRelay(toPort: number): Promise<TlsRelay> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert: CERTIFICATE, key: KEY }, (client) => {
    const upstream = connect(toPort, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => sockets.delete(from));
      from.pipe(to);
    }
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await within("a port", listening.promise);
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** For 127.0.0.1, valid until 2126. Made for these tests with `openssl req -x509`. It protects nothing. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIURtxXXvE3kirTgqyhlcgFM0Pn5HgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNzIwNTM0M1oYDzIxMjYxMTAz
MjA1MzQzWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARRYttp9WsDeItQ3rl0+dp9suHT0S/Ei8pDOn/ayEwR3tntcoj6apgU
DokeXvkLQox4jNEUjuSgcGeg77eevTiEo28wbTAdBgNVHQ4EFgQUNiwSWr9VUFyn
UFg55AyJETXeRn8wHwYDVR0jBBgwFoAUNiwSWr9VUFynUFg55AyJETXeRn8wGgYD
VR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDRwAwRAIgU/2YvIHhbvgkgXYMQFLOXSFQ8rqMZCI4+s4Yy70oZRECIBmS
eswWAIMeuQdriwjQU5mrctqto0FIOjcivqlgfCuI
-----END CERTIFICATE-----`;

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgueAT8+O+/w1ppQek
76cO1u0XHNyVKSjah+aHWoBb8mihRANCAARRYttp9WsDeItQ3rl0+dp9suHT0S/E
i8pDOn/ayEwR3tntcoj6apgUDokeXvkLQox4jNEUjuSgcGeg77eevTiE
-----END PRIVATE KEY-----`;
