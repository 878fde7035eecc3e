/**
 * What tells inner things: names and addresses of the host's containers. It is for operators, who ask the
 * proxy itself, by its address or a local name. It is not for pages of the web (no CORS), not for pages
 * whose name was made to resolve to the proxy (DNS rebinding: their Host gives them away), and not for
 * whoever comes through another proxy.
 */
import { hostName } from "../../ground/host-name.ts";
import { isIpv4, isIpv6 } from "../../ground/ip-address.ts";
import { METRICS, STATUS } from "../../ground/paths.ts";
import { printable, quoted } from "../../ground/printable.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Target } from "../target.ts";
import { errorResponse } from "./errors.ts";
import { isRead, notServed } from "./local.ts";
import { metricsResponse } from "./metrics.ts";

export type InnerInit = {
  readonly log: Log;
  /** What `GET /status` shows, as JSON. */
  readonly status?: (() => unknown) | undefined;
  /** What `GET /metrics` shows; undefined if it is off. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Names under which it may be asked for, beside local ones; in lower case. */
  readonly trustedHosts?: readonly string[] | undefined;
};

export type Inner = {
  /** Whether the path is one of these. No answer to it may be read by pages, whatever it says. */
  readonly has: (path: string) => boolean;
  readonly answer: (request: Request, target: Target) => Response | Promise<Response>;
};

type Answer = () => Response | Promise<Response>;

export function createInner(init: InnerInit): Inner {
  const { log, status = () => ({}), scrape, trustedHosts = [] } = init;
  // What is off has its path all the same, so that no page can tell whether it is.
  const answers = new Map<string, Answer | undefined>([
    [STATUS, () => statusResponse(status())],
    [METRICS, scrape && (() => metricsResponse(scrape))],
  ]);
  const trusted = new Set(trustedHosts);
  const warnOfHost = hostWarnings(log);
  return {
    has: (path) => answers.has(path),
    answer: (request, { path }) => {
      const answer = answers.get(path);
      if (answer === undefined || !isDirect(request)) return notServed();
      const host = request.headers.get("host") ?? "";
      if (isLocalHost(host, trusted)) return answer();
      warnOfHost(host);
      return errorResponse(
        "not_found",
        `Cannot serve the request: ${path} is not for the Host ${quoted(host, HOST_LENGTH_MAX)}; ask by IP address, or name that host in PROXY_TRUSTED_HOSTS`,
      );
    },
  };
}

/** Printable: people read it with curl. It is the same JSON. */
function statusResponse(status: unknown): Response {
  const headers = { "content-type": "application/json;charset=utf-8" };
  return new Response(printable(JSON.stringify(status)), { headers });
}

/**
 * Whether it has come past no other proxy. What is for operators alone is not to be reached through one
 * that passes on what begins with `/v1`: of `/v1/../status` Bun leaves `/status` before it is ours to see.
 */
function isDirect(request: Request): boolean {
  const { headers } = request;
  return isRead(request) && !headers.has("x-forwarded-for") && !headers.has("forwarded");
}

/** Of a Host, in messages. */
const HOST_LENGTH_MAX = 100;

/** Names that nobody can have in the DNS of the internet. RFC 6762 §3, RFC 8375, ICANN's `.internal`. */
const LOCAL_DOMAINS = [".local", ".internal", ".lan", ".home.arpa"];

/**
 * Whether a Host is one that no stranger's page can have: an IP address, a name without a dot (also
 * `localhost`), one of a domain that is never public, or one that was named. Two Host headers come joined
 * by a comma, and are no name.
 *
 * @param trusted as `hostName` has them
 */
export function isLocalHost(header: string, trusted: ReadonlySet<string>): boolean {
  const host = header.replace(/:\d{1,5}$/, "");
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined) return isIpv6(bracketed);
  if (isIpv4(host)) return true;
  const name = hostName(host);
  if (name === undefined) return false;
  return (
    !name.includes(".") ||
    LOCAL_DOMAINS.some((domain) => name.endsWith(domain)) ||
    trusted.has(name)
  );
}

/** Whoever asks makes up as many Hosts as he likes: these are all that are ever told of. */
const HOSTS_MAX = 10;

function hostWarnings(log: Log): (host: string) => void {
  const told = new Set<string>();
  return (host) => {
    const shown = host.slice(0, HOST_LENGTH_MAX).toLowerCase();
    if (told.size >= HOSTS_MAX || told.has(shown)) return;
    told.add(shown);
    log.warn(
      "inner pages were asked for under a Host that is not trusted; if it is yours, name it in PROXY_TRUSTED_HOSTS",
      { host: shown },
    );
  };
}
