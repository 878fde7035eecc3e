import { describe, expect, test } from "bun:test";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { Engine } from "../../src/engine/engine.ts";
import { EngineError } from "../../src/engine/error.ts";
import { isLabelled } from "../../src/sources/labels.ts";
import { residentWithoutGarbage } from "../support/process/own-memory.ts";
import { until, within } from "../support/until.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 400;

type Answering = (path: string) => Response | undefined;

/** A fake that answers `/version` like an engine, and everything else with the given answer. */
function startEngine(answer: Answering): Disposable & { readonly engine: Engine } {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      answer(new URL(url).pathname) ??
      Response.json({ ApiVersion: "1.41", MinAPIVersion: "1.24", Id: "x" }),
  });
  const engine = new Engine({ kind: "tcp", host: "127.0.0.1", port: server.port ?? 0 }, TIMEOUT_MS);
  return { engine, [Symbol.dispose]: () => void server.stop(true) };
}

/** Endless bytes, until the reader stops. */
function endless(init: ResponseInit, piece = "x".repeat(MIB)): Response {
  const bytes = new TextEncoder().encode(piece);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await Bun.sleep(1); // the stream never ends, but other code must run too
      controller.enqueue(bytes);
    },
  });
  return new Response(body, init);
}

async function failure(call: Promise<unknown>): Promise<EngineError> {
  const error = await within(
    "the failure",
    call.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  if (!(error instanceof EngineError)) throw new Error(`not an EngineError: ${String(error)}`);
  return error;
}

/** Includes every other path that the proxy asks for after a refusal of this one. */
const VERSION = "/v1.52/version";

function isPathOf(call: string, asked: string): boolean {
  return asked === call || (call === VERSION && /^\/(version|_ping)$/.test(asked));
}

const CALLS: readonly (readonly [path: string, call: (engine: Engine) => Promise<unknown>])[] = [
  [VERSION, (engine) => engine.list(isLabelled)],
  ["/v1.41/containers/json", (engine) => engine.list(isLabelled)],
  ["/v1.41/containers/x/json", (engine) => engine.inspect("x")],
  [
    "/v1.41/events",
    (engine) => engine.openEvents({ since: () => 0, signal: new AbortController().signal }),
  ],
];

const ZEROS = new Uint8Array(128 * MIB);
const BOMBS = {
  br: brotliCompressSync(ZEROS, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  gzip: gzipSync(ZEROS, { level: 1 }),
};

describe("Engine with a faulty or hostile server", () => {
  test.each(CALLS)("%s: refuses an encoded answer without decoding it", async (path, call) => {
    for (const [encoding, body] of Object.entries(BOMBS)) {
      using rig = startEngine((asked) =>
        isPathOf(path, asked)
          ? new Response(new Uint8Array(body), { headers: { "content-encoding": encoding } })
          : undefined,
      );
      const before = residentWithoutGarbage();
      const { kind, message } = await failure(call(rig.engine));
      expect(kind).toBe("refused");
      expect(message).toContain(`Content-Encoding "${encoding}"`);
      expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB);
    }
  });

  test("refuses an answer of more than 4 MiB, except a list", async () => {
    const filler = "x".repeat(5 * MIB);
    using rig = startEngine((path) => {
      if (path.endsWith("/containers/json")) return Response.json([{ Id: "x", filler }]);
      return path.endsWith("/x/json") ? Response.json({ Id: "x", filler }) : undefined;
    });
    expect(await rig.engine.list(isLabelled)).toEqual([]);
    const { kind, message } = await failure(rig.engine.inspect("x"));
    expect([kind, message.includes("larger than 4 MiB")]).toEqual(["refused", true]);
  });

  test("gives up an endless list", async () => {
    using rig = startEngine((path) =>
      path.endsWith("/containers/json") ? endless({ status: 200 }) : undefined,
    );
    const { message } = await failure(rig.engine.list(isLabelled));
    expect(message).toMatch(/no answer in time|larger than 64 MiB/);
  });

  test("returns undefined for a missing container even if the body of the 404 is endless", async () => {
    using rig = startEngine((path) =>
      path.endsWith("/x/json") ? endless({ status: 404 }) : undefined,
    );
    expect(await within("the answer", rig.engine.inspect("x"), TIMEOUT_MS)).toBeUndefined();
  });

  test.each([400, 403, 500, 503])(
    "an endless %p answer becomes an error with its status",
    async (status) => {
      for (const [path, call] of CALLS) {
        using rig = startEngine((asked) =>
          isPathOf(path, asked) ? endless({ status }) : undefined,
        );
        const { message } = await failure(call(rig.engine));
        expect(message).toContain(`answered ${status} to GET`);
      }
    },
  );

  test.each([400, 403, 500])("gives up a %p answer with an empty, endless body", async (status) => {
    for (const [path, call] of CALLS) {
      using rig = startEngine((asked) => {
        return isPathOf(path, asked) ? endless({ status }, " ".repeat(10)) : undefined;
      });
      expect((await failure(call(rig.engine))).message).toContain("no answer in time");
    }
  });

  test("sends any id as one path segment", async () => {
    const asked: string[] = [];
    using rig = startEngine((path) => {
      asked.push(path);
      return path.includes("version") ? undefined : new Response(null, { status: 404 });
    });
    await rig.engine.inspect("../../events?x#");
    await until("it was asked", () => asked.length === 2);
    expect(asked[1]).toBe("/v1.41/containers/..%2F..%2Fevents%3Fx%23/json");
  });

  test("containerAddresses() returns the IPv4 and IPv6 addresses of all running containers", async () => {
    const items = [
      { NetworkSettings: { Networks: { a: { IPAddress: "10.0.0.1", GlobalIPv6Address: "" } } } },
      { NetworkSettings: { Networks: { a: { GlobalIPv6Address: "fd00::1" }, b: {} } } },
      { NetworkSettings: { Networks: null } },
      {},
    ];
    using rig = startEngine((path) =>
      path.endsWith("/containers/json") ? Response.json(items) : undefined,
    );
    expect(await rig.engine.containerAddresses()).toEqual(["10.0.0.1", "fd00::1"]);
  });
});
