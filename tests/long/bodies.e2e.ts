/** Bodies of a gigabyte through the compiled binary, with a slow peer. */
import { expect, test } from "bun:test";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { ChunkReader } from "../support/client/chunk-reader.ts";
import { untilModels } from "../support/client/requests.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { watchResident } from "../support/process/figures.ts";
import { type CompiledProxy, startCompiled } from "../support/proxy/compiled.ts";
import { until, within } from "../support/until.ts";

const GIBIBYTE = 1024 ** 3;
const PIECE = Buffer.alloc(1024 * 1024, "0123456789abcdef");
const PREFIX = '{"model":"m","pad":"';
const SUFFIX = '"}';
const STALL_MS = 3_000;
const GROWTH_MIB_MAX = 64;
const BOUND_MS = 120_000;

/** Counts and hashes the bytes after the head of a message. */
class BodySink {
  readonly #hash = new Bun.CryptoHasher("md5");
  #head = "";
  #inBody = false;
  bytes = 0;

  take(bytes: Buffer): void {
    if (this.#inBody) {
      this.#count(bytes);
      return;
    }
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    this.#inBody = true;
    this.#count(Buffer.from(this.#head.slice(end + 4), "latin1"));
  }

  get head(): string {
    return this.#head;
  }

  digest(): string {
    return this.#hash.digest("hex");
  }

  #count(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.bytes += bytes.length;
  }
}

function digestOf(...parts: readonly (string | Buffer)[]): string {
  const hash = new Bun.CryptoHasher("md5");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

async function writeAll(socket: Socket, pieces: Iterable<string | Buffer>): Promise<void> {
  for (const piece of pieces) {
    if (socket.write(piece)) continue;
    await new Promise((resolve) => socket.once("drain", resolve));
  }
}

function* repeated(count: number): Generator<Buffer> {
  for (let n = 0; n < count; n += 1) yield PIECE;
}

type Upstream = Disposable & { readonly port: number };

/** @param onPost gets the connection and the request's first bytes */
function startUpstream(onPost: (socket: Socket, first: Buffer) => void): Upstream {
  const models = '{"data":[{"id":"m"}]}';
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (first: Buffer) => {
      if (first.includes("POST ")) return onPost(socket, first);
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${models.length}\r\n\r\n${models}`);
    });
  });
  server.listen(0, "127.0.0.1");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => void server.close(),
  };
}

async function withProxy(
  upstream: Upstream,
  run: (proxy: CompiledProxy) => Promise<void>,
): Promise<void> {
  using fake = await new FakeEngine().start();
  fake.add({ port: upstream.port });
  await using proxy = await startCompiled({ env: { DOCKER_HOST: `unix://${fake.socketPath}` } });
  await untilModels(proxy.origin, ["m"]);
  const resident = watchResident(proxy.pid);
  const before = watchResident(proxy.pid).stop();
  await run(proxy);
  const most = resident.stop();
  console.log(`resident: ${before.toFixed(0)} MiB before, ${most.toFixed(0)} at most`);
  expect(most - before).toBeLessThan(GROWTH_MIB_MAX);
}

test(
  "uploads 1 GiB to a server that does not read for 3 s: no byte is lost, little memory is used",
  async () => {
    const sink = new BodySink();
    using upstream = startUpstream((socket, first) => {
      sink.take(first);
      socket.pause();
      // The server is slow on purpose.
      setTimeout(() => socket.on("data", (bytes: Buffer) => sink.take(bytes)).resume(), STALL_MS);
    });
    await withProxy(upstream, async (proxy) => {
      const length = PREFIX.length + GIBIBYTE + SUFFIX.length;
      const client = connect({ port: proxy.port, host: "127.0.0.1" });
      client.write(`POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
      const written = (async () => {
        await writeAll(client, [PREFIX]);
        await writeAll(client, repeated(GIBIBYTE / PIECE.length));
        await writeAll(client, [SUFFIX]);
      })();
      await within("the upload", written, BOUND_MS);
      await until("all bytes have arrived", () => sink.bytes === length, BOUND_MS);
      expect(sink.head.toLowerCase()).toContain(`content-length: ${length}`);
      client.destroy();
    });
    expect(sink.digest()).toBe(digestOf(PREFIX, ...repeated(GIBIBYTE / PIECE.length), SUFFIX));
  },
  BOUND_MS,
);

test(
  "downloads 1 GiB to a client that does not read for 3 s: no byte is lost, little memory is used",
  async () => {
    using upstream = startUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${GIBIBYTE}\r\n\r\n`);
      void writeAll(socket, repeated(GIBIBYTE / PIECE.length));
    });
    await withProxy(upstream, async (proxy) => {
      const body = '{"model":"m"}';
      const head = `POST /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
      const client = connect({ port: proxy.port, host: "127.0.0.1" });
      client.write(head + body);
      client.pause();
      await Bun.sleep(STALL_MS); // the client is slow on purpose
      const hash = new Bun.CryptoHasher("md5");
      const chunks = new ChunkReader((bytes) => hash.update(bytes));
      const ended = new Promise<void>((resolve) => client.on("close", () => resolve()));
      client.on("data", (piece: Buffer) => chunks.take(piece));
      client.resume();
      await within("the download", ended, BOUND_MS);
      expect([chunks.bytes, chunks.complete]).toEqual([GIBIBYTE, true]);
      expect(hash.digest("hex")).toBe(digestOf(...repeated(GIBIBYTE / PIECE.length)));
    });
  },
  BOUND_MS,
);
