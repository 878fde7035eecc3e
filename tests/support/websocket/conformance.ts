/**
 * One case of the comparison "direct and through the proxy": the actions of a client and a server, and what
 * each sees. The direct run shows what they see without the proxy. Through the proxy they must see the same.
 */
import { ENDLESS, startProxyTo } from "../proxy/in-process.ts";
import { until, within } from "../until.ts";
import { handshakeRequest, TARGET } from "./handshake.ts";
import type { NodePeer, NodeProcess, NodeServer } from "./node-process.ts";
import { rawWebSocketClient, rawWebSocketServer } from "./raw-peer.ts";
import type { RawStep, ScriptedClient, ScriptedServer } from "./script.ts";

/** What each end sees. n equal lines in a row become one: `50 × text "a"`. */
export type Seen = { readonly client: readonly string[]; readonly server: readonly string[] };

export type Case = {
  readonly name: string;
  /** With npm's ws, or on a bare socket. */
  readonly client: ScriptedClient | { readonly raw: readonly RawStep[] };
  readonly server: ScriptedServer | { readonly raw: readonly RawStep[] };
  readonly sees: Seen;
  /** Set if the reasons of Close frames are error texts of the implementation. */
  readonly reasons?: "ignored";
  /** The differences through the proxy, and why they cannot be avoided. */
  readonly through?: Partial<Seen> & { readonly because: string };
};

/** Longer than 20 MB in both directions take on a busy machine. */
const BOUND_MS = 15_000;

export async function seenDirectly(node: NodeProcess, tried: Case): Promise<Seen> {
  using server = await start(node, tried);
  return await seen(node, tried, server, server.origin);
}

export async function seenThrough(node: NodeProcess, tried: Case): Promise<Seen> {
  using server = await start(node, tried);
  using proxy = startProxyTo(server.origin, { patience: ENDLESS });
  const both = await seen(node, tried, server, proxy.origin);
  await until("the lease has ended", () => proxy.backend.inFlight === 0);
  return both;
}

/** What each end must see through the proxy. */
export function expectedThrough({ sees, through }: Case): Seen {
  return { client: through?.client ?? sees.client, server: through?.server ?? sees.server };
}

function start(node: NodeProcess, { server }: Case): Promise<NodeServer> {
  return "raw" in server ? rawWebSocketServer(server.raw) : node.serve(server);
}

async function seen(
  node: NodeProcess,
  { client: script, reasons }: Case,
  server: NodeServer,
  origin: string,
): Promise<Seen> {
  using client: NodePeer =
    "raw" in script
      ? rawWebSocketClient(origin, script.raw, handshakeRequest())
      : node.connect(`${origin.replace("http", "ws")}${TARGET}`, script);
  const ends = [client, server];
  const ended = Promise.all(ends.map(({ transcript }) => transcript.ended()));
  const what = (): string => ends.map(({ transcript }) => transcript.lines.join("; ")).join(" | ");
  await within("the ends of client and server", ended, BOUND_MS).catch((error: unknown) => {
    throw new Error(`Cannot finish the case. Client and server have seen ${what()}`, {
      cause: error,
    });
  });
  const shown = ({ transcript }: NodePeer): readonly string[] =>
    folded(transcript.lines.map((line) => (reasons === "ignored" ? withoutReason(line) : line)));
  return { client: shown(client), server: shown(server) };
}

function withoutReason(line: string): string {
  return /^close \d+/.exec(line)?.[0] ?? line;
}

function folded(lines: readonly string[]): readonly string[] {
  const runs: { readonly line: string; count: number }[] = [];
  for (const line of lines) {
    const last = runs.at(-1);
    if (last?.line === line) last.count += 1;
    else runs.push({ line, count: 1 });
  }
  return runs.map(({ line, count }) => (count === 1 ? line : `${count} × ${line}`));
}
