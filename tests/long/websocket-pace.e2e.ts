/**
 * The slower end of a WebSocket also sets the pace of control frames. For texts see
 * tests/proxy/socket/tunnel.test.ts.
 */
import { test } from "bun:test";
import { expectReaderSetsPace, expectUnreadPongsSetPace } from "../support/websocket/pace.ts";

const SENDING = (["client", "server"] as const).flatMap((from) =>
  (["ping", "pong"] as const).map((what) => [from, what] as const),
);

test.each(SENDING)(
  "the proxy stops reading from a %s whose %ss the other end does not read, until the other end reads on",
  (from, what) => expectReaderSetsPace(from, what),
  30_000,
);

test(
  "the proxy stops reading from a client that sends pings but does not read, until the client reads on",
  expectUnreadPongsSetPace,
  30_000,
);
