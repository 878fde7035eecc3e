/** Explains why the proxy cannot listen on its address. Does not try to listen. Pure. */
import { errorCode, errorText } from "../ground/error-text.ts";
import type { ListenAddress } from "../ground/listen-address.ts";

/** System codes for an address that this machine does not have or cannot use in this form. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EINVAL", "EAFNOSUPPORT"]);

/** Says why the proxy cannot listen, and which variable to change. */
export function explainListen({ host, port }: ListenAddress, error: unknown): string {
  const at = host === undefined ? "" : ` of ${host}`;
  return `cannot listen on port ${port}${at}: ${reasonOf(error, host)}`;
}

function reasonOf(error: unknown, host: string | undefined): string {
  const code = errorCode(error);
  if (host !== undefined && NO_SUCH_ADDRESS.has(code ?? "")) {
    const verb = code === "EADDRNOTAVAIL" ? "has no" : "cannot use the";
    return `this machine ${verb} address ${host}; set PROXY_HOST to an IP address of this machine`;
  }
  if (code === "EADDRINUSE") {
    return "the port is in use; stop the other program, or set PROXY_PORT to another port";
  }
  // On the host's network only root may use low ports. In its own network a container's user may use any port.
  const low = "set PROXY_USER=0, or add the capability CAP_NET_BIND_SERVICE, or ";
  return `${errorText(error)}; ${code === "EACCES" ? low : ""}set PROXY_PORT to another port`;
}
