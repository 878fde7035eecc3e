/** The command `status`: asks the local proxy and shows its reply. table.ts formats it. */
import { STATUS } from "../ground/paths.ts";
import { ask, type ReplyLimits } from "./ask.ts";
import { CANNOT, type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";
import { isAllRouted, parseStatus, renderJson, renderStatus } from "./table.ts";

const LIMITS: ReplyLimits = { timeoutMs: 5_000, bytesMax: 64 * 1024 * 1024 };

const WHERE_TO_ASK =
  "If the proxy listens on another address, set PROXY_PORT and PROXY_HOST. If it runs in a container, run the command there: docker exec <container> lw-inference-proxy status";

/**
 * @param origin the origin of the local proxy
 * @param json whether a program reads the output
 */
export async function status(origin: string, json: boolean): Promise<CommandResult> {
  const reply = await ask(`${origin}${STATUS}`, LIMITS);
  if (reply.kind === "none") return failed(CANNOT, `${reply.reason}. ${WHERE_TO_ASK}`);
  const parsed = reply.status === 200 ? parseStatus(reply.body) : undefined;
  const shown = parsed && (json ? renderJson(reply.body) : renderStatus(parsed, Date.now()));
  if (parsed === undefined || shown === undefined) {
    const reason = `the answer of ${reply.url} (status ${reply.status}) is not from an lw-inference-proxy`;
    return failed(CANNOT, `${reason}. ${WHERE_TO_ASK}`);
  }
  return { code: isAllRouted(parsed) ? OK : NOT_WELL, stdout: shown };
}
