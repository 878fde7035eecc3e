/** Why the proxy can't listen where it is to, and which variable to change. Pure. */
import type { Place } from "../config.ts";
import { errorCode, errorText } from "../ground/error-text.ts";

/** What the system says to an address that is not this machine's, or that it can't use as it is. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EINVAL", "EAFNOSUPPORT"]);

/** Why it can't listen there, and which variable to change. */
export function explainListen({ host, port }: Place, error: unknown): string {
  const why = errorText(error);
  const at = host === undefined ? "" : ` of ${host}`;
  return `cannot listen on port ${port}${at}: ${why}; ${adviceFor(errorCode(error), host)}`;
}

function adviceFor(code: string | undefined, host: string | undefined): string {
  if (host !== undefined && NO_SUCH_ADDRESS.has(code ?? "")) {
    return "name an address of this machine in PROXY_HOST";
  }
  // As a user of its own, on the host's network: in a container's own any user may have any port.
  const low = "allow it by PROXY_USER=0 or the capability CAP_NET_BIND_SERVICE, or ";
  return `${code === "EACCES" ? low : ""}choose another in PROXY_PORT`;
}
