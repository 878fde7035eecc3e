import { describe, expect, test } from "bun:test";
import { type Container, parseContainer } from "../../../src/engine/container.ts";
import { EngineError } from "../../../src/engine/error.ts";
import { OwnPlace, type OwnPlaceInit } from "../../../src/sources/docker/own-place.ts";
import { readFixture } from "../../support/engine/replies.ts";
import { memoryLog } from "../../support/proxy/memory-log.ts";
import { expectNever, until } from "../../support/until.ts";

const BRIDGED = parseContainer(readFixture("docker-20.10.24-user-bridge.json"));
const ON_HOST = parseContainer(readFixture("docker-20.10.24-host-network.json"));

const UNREACHABLE = new EngineError("no answer in time", { kind: "unreachable" });

function placeOf(change: Partial<OwnPlaceInit> = {}): OwnPlace {
  return new OwnPlace({
    ownContainerId: BRIDGED.id,
    inspect: async () => BRIDGED,
    lookUpHost: async () => undefined,
    onChange: () => undefined,
    remote: undefined,
    ownAddresses: () => ["127.0.0.1", "192.168.1.5"],
    log: memoryLog(),
    ...change,
  });
}

describe("OwnPlace", () => {
  test.each<[where: string, change: Partial<OwnPlaceInit>]>([
    ["not in a container", { ownContainerId: undefined }],
    ["in a container of another engine", { inspect: async () => undefined }],
    ["in a container on the host's network", { inspect: async () => ON_HOST }],
  ])("%s: is on the host, and looks up no name", async (_where, change) => {
    let lookUps = 0;
    const own = placeOf({
      ...change,
      lookUpHost: async () => {
        lookUps += 1;
        return undefined;
      },
    });
    await own.read(true);
    expect([own.place, lookUps]).toEqual([{ kind: "host" }, 0]);
  });

  test("in a container: has the container's networks of each read", async () => {
    let shown: Container = BRIDGED;
    const own = placeOf({ inspect: async () => shown });
    await own.read(false);
    expect(own.place).toMatchObject({ kind: "container", networks: BRIDGED.networks });
    shown = { ...BRIDGED, networks: [] };
    await own.read(false);
    expect(own.place).toMatchObject({ networks: [] });
  });

  test("throws if the first read fails, and keeps the place if a later read fails", async () => {
    let fails = true;
    const own = placeOf({
      inspect: async () => {
        if (fails) throw UNREACHABLE;
        return BRIDGED;
      },
    });
    expect(own.read(false)).rejects.toThrow("no answer in time");
    fails = false;
    await own.read(false);
    fails = true;
    await own.read(false);
    expect(own.place.kind).toBe("container");
  });

  test("looks up the host in the background once, and again while a container is on the host's network", async () => {
    const answers = ["10.0.0.1", "10.0.0.1", "10.0.0.2"];
    const first = Promise.withResolvers<void>();
    let [asked, changes] = [0, 0];
    const own = placeOf({
      lookUpHost: async () => {
        asked += 1;
        const address = answers[asked - 1];
        await first.promise;
        return address;
      },
      onChange: () => {
        changes += 1;
      },
    });
    await own.read(false);
    expect(own.place).toMatchObject({ hostAddress: undefined }); // read() does not wait for it
    first.resolve();
    await until("it is known", () => changes === 1);
    expect(own.place).toMatchObject({ hostAddress: "10.0.0.1" });
    await own.read(false);
    await own.read(true);
    await own.read(true);
    await until("it has changed", () => changes === 2);
    expect([own.place, asked]).toMatchObject([{ hostAddress: "10.0.0.2" }, 3]);
  });

  test("the place is unknown before the first read", async () => {
    const own = placeOf();
    let isKnown = false;
    void own.known.then(() => (isKnown = true));
    await expectNever("the place is known", () => isKnown, 5);
    expect(() => own.place).toThrow("has not been read yet");
    await own.read(false);
    await own.known;
    expect(own.place.kind).toBe("container");
  });

  test.each(["forbidden", "refused"] as const)(
    "our own container stays %s: assumes the host with one warning, until the engine shows it",
    async (kind) => {
      const log = memoryLog();
      let isRefused = true;
      const own = placeOf({
        log,
        refusedMs: 60,
        inspect: async () => {
          if (isRefused) throw new EngineError("no", { kind });
          return BRIDGED;
        },
      });
      expect(own.read(false)).rejects.toThrow("no");
      await until("it continues", () =>
        own.read(false).then(
          () => true,
          () => false,
        ),
      );
      await own.known;
      await own.read(false);
      expect([own.place.kind, log.count("own container unknown")]).toEqual(["host", 1]);
      isRefused = false;
      await own.read(false);
      expect(own.place.kind).toBe("container");
    },
  );

  test("waits without limit for an engine that does not answer", async () => {
    const own = placeOf({
      refusedMs: 0,
      inspect: async () => {
        throw UNREACHABLE;
      },
    });
    const goesOn = (): Promise<boolean> =>
      own.read(false).then(
        () => true,
        () => false,
      );
    await expectNever("it goes on without having been told", goesOn, 20);
    expect(own.read(false)).rejects.toThrow("no answer in time");
  });
});

describe("OwnPlace with an engine at tcp://", () => {
  type Case = [
    what: string,
    at: readonly string[],
    change: Partial<OwnPlaceInit>,
    expected: string,
  ];
  const elsewhere = { inspect: async () => undefined };
  const onNoContainer = { ownContainerId: undefined };

  test.each<Case>([
    ["another machine, and we are in a container", ["10.9.9.9"], elsewhere, "foreign"],
    ["another machine, and we are not in a container", ["10.9.9.9"], onNoContainer, "foreign"],
    ["an engine that knows our container", ["10.9.9.9"], {}, "container"],
    ["loopback", ["127.0.0.1"], onNoContainer, "host"],
    ["an address of ours among others", ["10.9.9.9", "192.168.1.5"], onNoContainer, "host"],
    ["a socket proxy in a container", ["172.30.0.7"], onNoContainer, "host"],
    ["a name that does not resolve", [], onNoContainer, "host"],
  ])("%s", async (_what, at, change, expected) => {
    const own = placeOf({
      ...change,
      remote: {
        host: "engine.lan",
        lookUp: async () => at,
        containerAddresses: async () => ["172.30.0.6", "::ffff:172.30.0.7"],
      },
    });
    await own.read(true);
    expect(own.place.kind).toBe(expected as "host");
    if (expected === "foreign") expect(own.place).toMatchObject({ engineHost: "engine.lan" });
  });

  test("stays foreign when the name does not resolve for a moment", async () => {
    let at: readonly string[] = ["10.9.9.9"];
    const own = placeOf({
      ...onNoContainer,
      remote: { host: "e", lookUp: async () => at, containerAddresses: async () => [] },
    });
    await own.read(false);
    at = [];
    await own.read(false);
    expect(own.place.kind).toBe("foreign");
  });
});
