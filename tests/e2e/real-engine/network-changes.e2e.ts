/** The proxy and servers join and leave networks on a real engine while everything runs. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chat, streamedChat } from "../../support/client/requests.ts";
import { addressIn, createNetwork } from "../../support/engine/networks.ts";
import {
  removeLeftovers,
  removeServers,
  type Server,
  startServer,
  untilHealth,
} from "../../support/engine/real.ts";
import {
  buildProxyImage,
  CAN_RUN,
  type ProxyContainer,
  socketMount,
  startProxyContainer,
} from "../../support/proxy/image.ts";
import { isWarned, startOf, untilShown } from "../../support/proxy/shown-status.ts";
import { buildInferenceImage, dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const TIMEOUT_MS = 60_000;
/** Far below 30 s, after which a resync would find the change anyway. */
const NOTICED_MS = 5_000;

function connect(network: string, { name }: { readonly name: string }): Promise<string> {
  return dockerCli("network", "connect", network, name);
}

function disconnect(network: string, { name }: { readonly name: string }): Promise<string> {
  return dockerCli("network", "disconnect", network, name);
}

function onNetwork(network: string, model: string, labels = {}): Promise<Server> {
  return startServer({ env: { MODELS: model }, labels, flags: ["--network", network] });
}

async function servedBy(origin: string, model: string): Promise<readonly unknown[]> {
  const answer = await chat(origin, model);
  await answer.arrayBuffer();
  return [answer.status, answer.headers.get("x-served-by")];
}

describe.skipIf(!CAN_RUN)("while everything runs", () => {
  const cleanUp = new AsyncDisposableStack();
  let [a, b, c] = ["", "", ""];
  let steady: Server;
  let onB: Server;
  let onBoth: Server;
  let peer: Server;
  let sharing: Server;
  /** On network c. */
  let proxy: ProxyContainer;
  let origin: string;
  /** In the network of the server `steady`. */
  let sidecar: ProxyContainer;
  let sidecarOrigin: string;

  beforeAll(async () => {
    await removeLeftovers();
    await buildInferenceImage();
    await buildProxyImage();
    const made = await Promise.all([createNetwork(), createNetwork(), createNetwork()]);
    [a = "", b = "", c = ""] = made.map((network) => cleanUp.use(network).name);
    cleanUp.defer(removeServers);
    [steady, onB, onBoth, peer] = await Promise.all([
      onNetwork(c, "steady"),
      onNetwork(b, "on-b"),
      onNetwork(c, "on-both"),
      onNetwork(c, "peer"),
    ]);
    const flags = ["--network", `container:${peer.name}`];
    const labels = { "inference.port": "9000" };
    sharing = await startServer({ env: { MODELS: "sharing", PORT: "9000" }, labels, flags });
    await Promise.all([connect(a, onBoth), ...[steady, onB, onBoth, peer, sharing].map(healthy)]);
    const shared = ["--network", `container:${steady.name}`];
    [proxy, sidecar] = await Promise.all([
      startProxyContainer({ flags: [...socketMount(), "--network", c] }),
      startProxyContainer({ flags: [...socketMount(), ...shared] }),
    ]);
    cleanUp.use(proxy);
    cleanUp.use(sidecar);
    origin = `http://${await addressIn(c, proxy.name)}:8080`;
    sidecarOrigin = `http://${await addressIn(c, steady.name)}:8080`;
    // The proxy may finish its first look at the containers in any order.
    await untilShown(origin, steady.name, { state: "routed" });
  }, 300_000);
  afterAll(() => cleanUp.disposeAsync(), TIMEOUT_MS);

  function healthy(server: Server): Promise<void> {
    return untilHealth(server, "healthy");
  }

  function unshared(own: string): Readonly<Record<string, unknown>> {
    const reason = `no shared network: the container is connected to network ${b}; the proxy is on ${own}; the proxy tries ${b} anyway; `;
    return { state: "reading_models", reason: expect.stringMatching(startOf(reason)), models: [] };
  }

  async function at(network: string): Promise<string> {
    return `http://${await addressIn(network, onBoth.name)}:8000`;
  }

  /** Sends requests to a model throughout. Returns the failures. */
  async function during(model: string, act: () => Promise<unknown>): Promise<ReadonlySet<string>> {
    const wrong = new Set<string>();
    let over = false;
    const sending = (async () => {
      while (!over) {
        const answer = await within("an answer", chat(origin, model, { tokens: 1 }));
        const text = await answer.text();
        if (answer.status !== 200) wrong.add(`${answer.status} ${text}`);
      }
    })();
    await act();
    over = true;
    await sending;
    return wrong;
  }

  test(
    "a server that joins the proxy's network is routed by itself, until it leaves",
    async () => {
      await untilShown(origin, onB.name, unshared(c));
      const warning = "no shared network: the container is connected to network ";
      await until("the proxy has logged the warning", async () =>
        isWarned(await proxy.log(), onB.name, warning + b),
      );
      const wrong = await during("steady", async () => {
        await connect(c, onB);
        const address = `http://${await addressIn(c, onB.name)}:8000`;
        const routed = { state: "routed", reason: "healthy", address };
        await untilShown(origin, onB.name, routed, NOTICED_MS);
        expect(await servedBy(origin, "on-b")).toEqual([200, onB.name]);
        await disconnect(c, onB);
        await untilShown(origin, onB.name, unshared(c), NOTICED_MS);
      });
      expect(wrong).toEqual(new Set());
    },
    TIMEOUT_MS,
  );

  test(
    "a proxy that joins a server's network routes to the server, until it leaves",
    async () => {
      await untilShown(origin, onB.name, unshared(c));
      const wrong = await during("steady", async () => {
        await connect(b, proxy);
        const address = `http://${await addressIn(b, onB.name)}:8000`;
        const routed = { state: "routed", reason: "healthy", address };
        await untilShown(origin, onB.name, routed, NOTICED_MS);
        expect(await servedBy(origin, "on-b")).toEqual([200, onB.name]);
        await disconnect(b, proxy);
        await untilShown(origin, onB.name, unshared(c), NOTICED_MS);
      });
      expect(wrong).toEqual(new Set());
    },
    TIMEOUT_MS,
  );

  test(
    "for a proxy in another container's network, the networks of that container count",
    async () => {
      await untilShown(sidecarOrigin, onB.name, unshared(c));
      await connect(b, steady);
      await untilShown(sidecarOrigin, onB.name, { state: "routed" }, NOTICED_MS);
      expect(await servedBy(sidecarOrigin, "on-b")).toEqual([200, onB.name]);
      await disconnect(b, steady);
      await untilShown(sidecarOrigin, onB.name, unshared(c), NOTICED_MS);
    },
    TIMEOUT_MS,
  );

  test(
    "a second shared network moves the server to another address; a stream over the first one continues",
    async () => {
      await untilShown(origin, onBoth.name, { state: "routed", address: await at(c) });
      const { end } = await streamedChat(origin, "on-both", { tokens: 20, token_delay_ms: 100 });
      await connect(a, proxy);
      await untilShown(origin, onBoth.name, { state: "routed", address: await at(a) }, NOTICED_MS);
      expect(await servedBy(origin, "on-both")).toEqual([200, onBoth.name]);
      expect(await within("the answer", end, 10_000)).toBe("complete");
    },
    TIMEOUT_MS,
  );

  test(
    "when the proxy leaves the second network, it uses the first one again, and a stream over the second breaks off",
    async () => {
      await untilShown(origin, onBoth.name, { state: "routed", address: await at(a) });
      const { end } = await streamedChat(origin, "on-both", { tokens: 600, token_delay_ms: 100 });
      await disconnect(a, proxy);
      await untilShown(origin, onBoth.name, { state: "routed", address: await at(c) }, NOTICED_MS);
      expect(await servedBy(origin, "on-both")).toEqual([200, onBoth.name]);
      expect(await within("the end of the stream", end, 15_000)).toStartWith("broken off"); // after 5 s
    },
    TIMEOUT_MS,
  );

  test(
    "a server in another container's network is not routed after that container has restarted, until it restarts too",
    async () => {
      const routed = async (): Promise<Readonly<Record<string, unknown>>> => ({
        state: "routed",
        address: `http://${await addressIn(c, peer.name)}:9000`,
      });
      const ignored = (why: string): Readonly<Record<string, unknown>> => ({
        state: "ignored",
        reason: `it shares the network of container "${peer.name}", ${why}`,
      });
      await untilShown(origin, sharing.name, await routed());
      await dockerCli("stop", peer.name);
      const stopped = ignored("which does not run; start that one, then restart this one");
      await untilShown(origin, sharing.name, stopped, NOTICED_MS);
      await dockerCli("start", peer.name);
      const restarted = ignored("which was restarted later; restart this one too");
      await untilShown(origin, sharing.name, restarted, NOTICED_MS);
      expect((await chat(origin, "sharing")).status).toBe(503); // the container exists, but the proxy cannot reach it
      await dockerCli("restart", sharing.name);
      await untilShown(origin, sharing.name, await routed());
      expect(await servedBy(origin, "sharing")).toEqual([200, sharing.name]);
    },
    TIMEOUT_MS,
  );
});
