/** The command `healthcheck`, for an image without a shell. Docker keeps what it prints beside the result. */
import { HEALTHZ } from "../ground/paths.ts";
import { ask, type ReplyLimits } from "./ask.ts";
import { type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";

/** Docker kills the command after 5 s (Dockerfile, HEALTHCHECK). It ends sooner, so that it gets to say why. */
const LIMITS: ReplyLimits = { timeoutMs: 3_000, bytesMax: 64 * 1024 };

/** @param origin of the proxy that runs here */
export async function healthcheck(origin: string): Promise<CommandResult> {
  const reply = await ask(`${origin}${HEALTHZ}`, LIMITS);
  if (reply.kind === "none") return failed(NOT_WELL, reply.reason);
  return reply.status === 200
    ? { code: OK }
    : failed(NOT_WELL, `the answer of ${reply.url} is ${reply.status}`);
}
