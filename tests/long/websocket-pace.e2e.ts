/** The slower end of a WebSocket sets the pace of control frames too; of texts: tests/proxy/socket/tunnel.test.ts. */
import { test } from "bun:test";
import { expectReaderSetsPace, expectUnreadPongsSetPace } from "../support/websocket/pace.ts";

const SENDING = (["client", "server"] as const).flatMap((from) =>
  (["ping", "pong"] as const).map((what) => [from, what] as const),
);

test.each(SENDING)(
  "a %s whose %ss nobody reads is not read from, until the other end reads on",
  (from, what) => expectReaderSetsPace(from, what),
  30_000,
);

test(
  "a client that sends pings and does not read is not read from, until it reads on",
  expectUnreadPongsSetPace,
  30_000,
);
