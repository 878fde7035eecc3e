/**
 * A Node process with npm's ws, for any number of cases. Under Bun, `import "ws"` is Bun's own
 * implementation, which the proxy uses too: a comparison of Bun with itself would prove nothing.
 */
import { fileURLToPath } from "node:url";
import { readLines } from "../process/read-lines.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";
import type { Order, Told } from "./node-program.ts";
import type { ScriptedClient, ScriptedServer } from "./script.ts";
import { Transcript } from "./transcript.ts";

/** One end of a WebSocket. */
export type NodePeer = Disposable & { readonly transcript: Transcript };
export type NodeServer = NodePeer & { readonly origin: string };

export type NodeProcess = Disposable & {
  /** Starts a server for one connection. */
  readonly serve: (script: ScriptedServer) => Promise<NodeServer>;
  /** @param url `ws://…` */
  readonly connect: (url: string, script: ScriptedClient) => NodePeer;
};

type Peer = { readonly transcript: Transcript; readonly port: PromiseWithResolvers<number> };

export async function startNode(): Promise<NodeProcess> {
  const folder = temporaryDirectory();
  const program = fileURLToPath(import.meta.resolve("./node-program.ts")); // resolve() shows knip that the file is used
  const built = await Bun.build({
    ...{ entrypoints: [program], outdir: folder.path, target: "node", naming: "program.mjs" },
  });
  if (!built.success) throw new Error(`Cannot bundle ${program}: ${built.logs.join("; ")}`);
  const child = Bun.spawn(["node", `${folder.path}/program.mjs`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const peers = new Map<number, Peer>();
  void readLines(child.stdout, (line) => take(peers, JSON.parse(line) as Told));
  const order = (told: Order): void => {
    child.stdin.write(`${JSON.stringify(told)}\n`);
    void child.stdin.flush();
  };
  let ids = 0;
  const add = (): Peer & NodePeer & { readonly id: number } => {
    ids += 1;
    const id = ids;
    const peer = { transcript: new Transcript(), port: Promise.withResolvers<number>() };
    peers.set(id, peer);
    return { ...peer, id, [Symbol.dispose]: () => order({ id, stop: true }) };
  };
  return {
    serve: async (script) => {
      const peer = add();
      order({ id: peer.id, serve: script });
      const port = await within("the port of the Node server", peer.port.promise);
      return { ...peer, origin: `http://127.0.0.1:${port}` };
    },
    connect: (url, script) => {
      const peer = add();
      order({ id: peer.id, connect: script, url });
      return peer;
    },
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
      folder[Symbol.dispose]();
    },
  };
}

function take(peers: ReadonlyMap<number, Peer>, told: Told): void {
  const peer = peers.get(told.id);
  if (peer === undefined) return;
  if ("port" in told) peer.port.resolve(told.port);
  else if ("line" in told) peer.transcript.add(told.line);
  else peer.transcript.end();
}
