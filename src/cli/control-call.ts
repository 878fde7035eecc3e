/** One question to the proxy that runs here, over its own socket, and its reply. Knows no command. */
import { z } from "zod/mini";
import { ask, type Reply, type ReplyLimits } from "./ask.ts";

const LIMITS: ReplyLimits = { timeoutMs: 5_000, bytesMax: 64 * 1024 };

type Call = {
  /** `GET` if it is not given. */
  readonly method?: "POST";
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
};

export type ControlReply<Value> =
  | { readonly kind: "reply"; readonly reply: Value; readonly socket: string }
  | { readonly kind: "failed"; readonly reason: string };

/** What the proxy says if it can't do what it is asked for. */
const Refusal = z.object({ reason: z.string() });

const WHERE_TO_ASK =
  "If the proxy has another port, set PROXY_PORT; if it runs in a container, ask there: docker exec <container> lw-inference-proxy …; if its log says that it can't make its socket, set RUNTIME_DIRECTORY, for both";

/**
 * Asks the first of these sockets on which a proxy answers. Never rejects.
 *
 * @param schema of the reply that is expected
 */
export async function callControl<Schema extends z.ZodMiniType>(
  sockets: readonly string[],
  { method, path, query }: Call,
  schema: Schema,
): Promise<ControlReply<z.output<Schema>>> {
  const url = `http://proxy${path}?${new URLSearchParams(query)}`;
  const reasons: string[] = [];
  for (const socket of sockets) {
    const answer = await ask(url, LIMITS, {
      unix: socket,
      ...(method !== undefined && { method }),
    });
    const value = answer.kind === "reply" ? parseJson(answer.body) : undefined;
    const reply = schema.safeParse(value);
    if (reply.success) return { kind: "reply", reply: reply.data, socket };
    const refusal = Refusal.safeParse(value);
    if (refusal.success) return { kind: "failed", reason: refusal.data.reason };
    reasons.push(explain(answer, socket));
  }
  return { kind: "failed", reason: `no proxy answers: ${reasons.join("; ")}. ${WHERE_TO_ASK}` };
}

/** Says why there is no reply of ours at this socket, and what to do. */
export function explain(answer: Reply, socket: string): string {
  if (answer.kind === "reply") return `the answer at ${socket} (${answer.status}) is none of ours`;
  switch (answer.code) {
    case "ENOENT":
      return `there is no socket ${socket}`;
    case "ECONNREFUSED":
      return `nobody listens at ${socket} any more`;
    case "EACCES":
    case "EPERM":
      return `${socket} is for its owner alone${ownerText(socket)}`;
    default:
      return answer.reason.replace("no proxy answers at ", ""); // whoever asks says that of all sockets
  }
}

/** Empty if it can't be told. */
function ownerText(path: string): string {
  try {
    const { uid } = process.getBuiltinModule("node:fs").statSync(path);
    return `: ask as user ${uid} (docker exec --user ${uid})`;
  } catch {
    return "";
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
