/** The command `healthcheck`, for an image without a shell. Docker stores its output with the result. */
import { HEALTHZ } from "../ground/paths.ts";
import { ask, type ReplyLimits } from "./ask.ts";
import { type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";

/**
 * Docker kills the command after 5 s (Dockerfile, HEALTHCHECK). It ends earlier, so that it can print the
 * reason.
 */
const LIMITS: ReplyLimits = { timeoutMs: 3_000, bytesMax: 64 * 1024 };

/** @param origin the origin of the local proxy */
export async function healthcheck(origin: string): Promise<CommandResult> {
  const reply = await ask(`${origin}${HEALTHZ}`, LIMITS);
  if (reply.kind === "none") return failed(NOT_WELL, reply.reason);
  return reply.status === 200
    ? { code: OK }
    : failed(NOT_WELL, `${reply.url} answered with status ${reply.status}`);
}
