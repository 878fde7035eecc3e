import { afterAll, describe, expect, test } from "bun:test";
import { seededRandom } from "../support/client/random-json.ts";
import { type RawConnection, rawConnect, rawServer } from "../support/client/raw-http.ts";
import { rawRequest, startProxyTo } from "../support/proxy/in-process.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const PIECE = "5\r\nhello\r\n";
const UPLOAD =
  'POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"model":"m",\r\n';

describe("a lease", () => {
  test("ends with the answer's body, not with its headers", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(rawRequest());
    const connection = await upstream.request();
    expect(proxy.backend.inFlight).toBe(1);
    connection.send(`${CHUNKED}${PIECE}`);
    await client.waitFor("hello");
    expect([proxy.backend.inFlight, proxy.keptOpen()]).toEqual([1, 1]);
    connection.send("5\r\nworld\r\n");
    await client.waitFor("world");
    expect([proxy.backend.inFlight, proxy.keptOpen()]).toEqual([1, 1]);
    connection.send("0\r\n\r\n");
    await client.waitFor("0\r\n\r\n");
    expect([proxy.backend.inFlight, proxy.keptOpen()]).toEqual([0, 0]);
  });

  test("is separate for each of several requests on reused connections", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    using other = await rawConnect(proxy.port);
    client.send(rawRequest());
    await upstream.request(0);
    other.send(rawRequest());
    await upstream.request(1);
    expect(proxy.backend.inFlight).toBe(2);
    upstream.connections[0]!.send(`${CHUNKED}${PIECE}0\r\n\r\n`);
    await client.waitFor("hello");
    await until("its lease has ended", () => proxy.backend.inFlight < 2);
    expect(proxy.backend.inFlight).toBe(1);
    client.send(rawRequest());
    await until("it is in flight again", () => proxy.backend.inFlight === 2);
  });
});

type Phase = {
  /** Brings the request to this phase. Returns the backend's side of the connection. */
  readonly enter: (
    client: RawConnection,
    accept: () => Promise<RawConnection>,
  ) => Promise<RawConnection>;
};

const PHASES: Readonly<Record<string, Phase>> = {
  "while it sends its body": {
    enter: async (client, accept) => {
      client.send(UPLOAD);
      return await accept();
    },
  },
  "before the headers": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      return await accept();
    },
  },
  "between the headers and the first byte": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      const upstream = await accept();
      upstream.send(CHUNKED);
      await client.waitFor("HTTP/1.1 200 OK");
      return upstream;
    },
  },
  "in a silent stream": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      const upstream = await accept();
      upstream.send(`${CHUNKED}${PIECE}`);
      await client.waitFor("hello");
      return upstream;
    },
  },
  "in an answer of known length": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      const upstream = await accept();
      upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhello");
      await client.waitFor("hello");
      return upstream;
    },
  },
  "in a short answer of known length": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      const upstream = await accept();
      upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
      return upstream;
    },
  },
  "while it reads nothing of a long answer": {
    enter: async (client, accept) => {
      client.send(rawRequest());
      const upstream = await accept();
      upstream.send(`${CHUNKED}${PIECE}`);
      await client.waitFor("hello");
      client.pause();
      const mebibyte = `100000\r\n${"x".repeat(1024 * 1024)}\r\n`;
      for (let count = 0; count < 32; count += 1) upstream.send(mebibyte);
      return upstream;
    },
  },
};

/** The time from the hang-up until the backend sees it, for each phase. The machine may be busy during one of them. */
const elapsedMs: number[] = [];

describe("a client that hangs up ends the upstream request at once", () => {
  test.each(
    Object.entries(PHASES).flatMap(([when, { enter }]) =>
      (["end", "reset"] as const).map((how) => [when, how, enter] as const),
    ),
  )("%s, by %s", async (_when, how, enter) => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    const connection = await enter(client, upstream.request);
    expect([proxy.backend.inFlight, connection.closed()]).toEqual([1, false]);
    const goneMs = performance.now();
    client[how]();
    await until("the backend sees it", connection.closed, 1_000);
    elapsedMs.push(performance.now() - goneMs);
    await until("the lease has ended", () => proxy.backend.inFlight === 0, 1_000);
    await until("the connection is no longer kept open", () => proxy.keptOpen() === 0, 1_000);
    expect(connection.received()).not.toContain("\r\n0\r\n\r\n"); // an upload never looks complete
    expect(proxy.log.lines).toEqual([]);
  });

  // Not a test: tests run in any order, and this check needs all their times.
  afterAll(() => {
    const sorted = elapsedMs.toSorted((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(100);
  });

  test("also for a client that sends an invalid chunk: its request never looks complete", async () => {
    using upstream = await rawServer();
    using proxy = startProxyTo(upstream.origin);
    using client = await rawConnect(proxy.port);
    client.send(UPLOAD);
    const connection = await upstream.request();
    client.send("zz\r\nwhat\r\n");
    await connection.waitForClose();
    expect(connection.received()).not.toContain("\r\n0\r\n\r\n");
    await client.waitForClose();
    await until("the lease has ended", () => proxy.backend.inFlight === 0, 1_000);
    await until("the connection is no longer kept open", () => proxy.keptOpen() === 0, 1_000);
    expect(proxy.log.lines).toEqual([]);
  });

  test("also for many clients at random moments", async () => {
    // The test is about the moments at which clients leave, so the sleeps wait for no condition.
    const random = seededRandom(1);
    using upstream = fakeBackend(async () => {
      await Bun.sleep(random(6));
      return new Response(endless());
    });
    using proxy = startProxyTo(upstream.origin);
    const hangUp = async (): Promise<void> => {
      using client = await rawConnect(proxy.port);
      client.send(rawRequest());
      await Bun.sleep(random(12));
    };
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 40 }, hangUp));
    }
    await until("all leases have ended", () => proxy.backend.inFlight === 0, 1_000);
    await until("no connection is kept open", () => proxy.keptOpen() === 0, 1_000);
    expect(upstream.received.length).toBeGreaterThan(0); // otherwise all clients hung up too early to matter
    expect(proxy.log.lines).toEqual([]);
  });
});

/** An answer that continues at the pace of a model until it is cancelled. */
async function* endless(): AsyncGenerator<string> {
  for (;;) {
    yield "data: hello\n\n";
    await Bun.sleep(1);
  }
}
