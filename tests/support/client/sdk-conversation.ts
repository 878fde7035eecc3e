/** Runs sdk-sockets.ts, and tells what the client in it has seen. */
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../temporary-directory.ts";
import { within } from "../until.ts";

/** Each by the name of its module in the package `openai`. */
export type SdkClient = "realtime/ws" | "realtime/websocket" | "responses/ws";

export type Task = {
  readonly client: SdkClient;
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  /** Whether it comes back when its WebSocket was closed. It has one turn each time. */
  readonly reconnect: boolean;
  /** After the last it closes. */
  readonly turns: number;
};

export type Runtime = "Node" | "Bun";

export type Conversation = AsyncDisposable & {
  /** What it has seen so far. */
  readonly lines: () => readonly string[];
  /** All that it has seen, once it has ended by itself. */
  readonly end: () => Promise<readonly string[]>;
};

const SOURCE = fileURLToPath(import.meta.resolve("./sdk-sockets.ts")); // so that knip, too, sees who uses it

/** The program with its packages in one file that Node can run: there `ws` is npm's, and under Bun it is Bun's own. */
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

/** @param forNode what `buildForNode` has made */
export function converse(runtime: Runtime, forNode: string, task: Task): Conversation {
  const command = runtime === "Node" ? ["node", forNode] : [process.execPath, SOURCE];
  const child = Bun.spawn([...command, JSON.stringify(task)], {
    // The certificate of tls-relay.ts is nobody's.
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
