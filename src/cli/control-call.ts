/** Sends one request to the local proxy over its control socket and reads the reply. Knows no command. */
import { z } from "zod/mini";
import { ask, type Reply, type ReplyLimits } from "./ask.ts";

const LIMITS: ReplyLimits = { timeoutMs: 5_000, bytesMax: 64 * 1024 };

type Call = {
  /** Default: `GET`. */
  readonly method?: "POST";
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
};

export type ControlReply<Value> =
  | { readonly kind: "reply"; readonly reply: Value; readonly socket: string }
  | { readonly kind: "failed"; readonly reason: string };

/** The reply of a proxy that cannot do what the command asks for. */
const Refusal = z.object({ reason: z.string() });

const WHERE_TO_ASK =
  "If the proxy listens on another port, set PROXY_PORT. If it runs in a container, run the command there: docker exec <container> lw-inference-proxy …. If its log says that the control socket is unavailable, set RUNTIME_DIRECTORY for the proxy and for the command";

/**
 * Tries the sockets in order and returns the first reply of a proxy. Never rejects.
 *
 * @param schema the expected reply
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

/** Says why no proxy replied on this socket, and what to do. */
export function explain(answer: Reply, socket: string): string {
  if (answer.kind === "reply") {
    return `the answer on ${socket} (status ${answer.status}) is not from an lw-inference-proxy`;
  }
  switch (answer.code) {
    case "ENOENT":
      return `the socket ${socket} does not exist`;
    case "ECONNREFUSED":
      return `no process listens on ${socket} any more`;
    case "EACCES":
    case "EPERM":
      return `only its owner may use ${socket}${ownerText(socket)}`;
    default:
      return answer.reason.replace("no proxy answers at ", ""); // the caller says this once for all sockets
  }
}

/** Empty if the owner is unknown. */
function ownerText(path: string): string {
  try {
    const { uid } = process.getBuiltinModule("node:fs").statSync(path);
    return `: run the command as user ${uid} (docker exec --user ${uid})`;
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
