/** Runs sdk-sockets.ts, and reports the events that its client sees. */
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";

/** The names of the clients' modules in the package `openai`. */
export type SdkClient = "realtime/ws" | "realtime/websocket" | "responses/ws";

export type Task = {
  readonly client: SdkClient;
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  /**
   * Whether the client connects again after its WebSocket was closed. It then has one turn on each
   * connection.
   */
  readonly reconnect: boolean;
  /** How many turns until the client closes. */
  readonly turns: number;
};

export type Runtime = "Node" | "Bun";

export type Conversation = AsyncDisposable & {
  /** The events so far. */
  readonly lines: () => readonly string[];
  /** All events. Resolves when the client has ended by itself. */
  readonly end: () => Promise<readonly string[]>;
};

const SOURCE = fileURLToPath(import.meta.resolve("./sdk-sockets.ts")); // resolve() shows knip that the file is used

/** Bundles the program into one file for Node. There `ws` is npm's package; under Bun it is Bun's own. */
export async function buildForNode(): Promise<Disposable & { readonly path: string }> {
  const directory = temporaryDirectory();
  const { outputs } = await Bun.build({
    entrypoints: [SOURCE],
    target: "node",
    outdir: directory.path,
    naming: "client.mjs",
  });
  return { ...directory, path: outputs[0]?.path ?? "" };
}

/** @param forNode the path from `buildForNode` */
export function converse(runtime: Runtime, forNode: string, task: Task): Conversation {
  const command = runtime === "Node" ? ["node", forNode] : [process.execPath, SOURCE];
  const child = Bun.spawn([...command, JSON.stringify(task)], {
    // The certificate of tls-relay.ts is self-signed.
    env: {
      PATH: process.env["PATH"] ?? "",
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      NODE_NO_WARNINGS: "1",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const read = (async () => {
    const utf8 = new TextDecoder();
    for await (const bytes of child.stdout) text += utf8.decode(bytes, { stream: true });
  })();
  const lines = (): readonly string[] => text.split("\n").slice(0, -1);
  return {
    lines,
    end: async () => {
      await within(`the client's end (${text})`, Promise.all([read, child.exited]), 10_000);
      return lines();
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
