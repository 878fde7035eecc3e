/** WebSockets over replicas of a real engine, through the compiled binary. */
import { expect, test } from "bun:test";
import type { Conversation } from "../support/client/websocket.ts";
import { startEachTestWithoutServers } from "../support/engine/each-test.ts";
import { admin, type Server, startProxy, startServer } from "../support/engine/real.ts";
import { talk, talker, turn } from "../support/engine/websockets.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";

const TIMEOUT_MS = 60_000;
const REPLICA = { ...talker("m"), labels: { "inference.replica": "true" } };

startEachTestWithoutServers();

test(
  "Replicas share WebSockets; if one refuses, or dies before its 101, the other gets them",
  async () => {
    const [left, right] = await Promise.all([startServer(REPLICA), startServer(REPLICA)]);
    await using proxy = await startProxy();
    const { origin } = proxy;
    const inFlight = ({ name }: Server, count: number): Promise<number> =>
      untilShown(origin, name, { state: "routed", in_flight: count });
    await Promise.all([inFlight(left, 0), inFlight(right, 0)]);

    const six: Conversation[] = [];
    for (const _ of "123456") six.push(await talk(origin, "m"));
    await Promise.all([inFlight(left, 3), inFlight(right, 3)]);
    for (const { socket } of six) socket.close();
    await Promise.all([inFlight(left, 0), inFlight(right, 0)]);

    await admin(left, "/refuse?status=503&retry_after=5");
    const two = [await talk(origin, "m"), await talk(origin, "m")];
    await inFlight(right, 2);
    await admin(left, "/refuse");

    await admin(right, "/gate?state=shut");
    const pending = talk(origin, "m"); // on this replica, because the other one gets no requests for 5 s
    await inFlight(right, 3);
    await dockerCli("kill", right.name);
    for (const client of two) {
      expect(await client.closed()).toEqual({ code: 1011, reason: "the server was killed" });
    }
    await turn(await pending);
    await inFlight(left, 1);
  },
  TIMEOUT_MS,
);
