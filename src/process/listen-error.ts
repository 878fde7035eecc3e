/** Why the proxy can't listen where it should. Does not try to listen. Pure. */
import { errorCode, errorText } from "../ground/error-text.ts";
import type { ListenAddress } from "../ground/listen-address.ts";

/** The system's codes for an address that is not this machine's, or that it can't use as it is. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EINVAL", "EAFNOSUPPORT"]);

/** Says why the proxy can't listen there, and which variable to change. */
export function explainListen({ host, port }: ListenAddress, error: unknown): string {
  const at = host === undefined ? "" : ` of ${host}`;
  return `cannot listen on port ${port}${at}: ${errorText(error)}; ${adviceFor(errorCode(error), host)}`;
}

function adviceFor(code: string | undefined, host: string | undefined): string {
  if (host !== undefined && NO_SUCH_ADDRESS.has(code ?? "")) {
    return "name an address of this machine in PROXY_HOST";
  }
  // Low ports are closed to other users on the host's network. In a network of its own a container's
  // user may have any port.
  const low = "allow it by PROXY_USER=0 or the capability CAP_NET_BIND_SERVICE, or ";
  return `${code === "EACCES" ? low : ""}choose another in PROXY_PORT`;
}
