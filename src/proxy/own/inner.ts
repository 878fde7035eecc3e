/**
 * The pages that tell inner things, such as names and addresses of the host's containers, and who may read
 * them: operators, who ask the proxy itself by its address or a local name. Web pages may not (no CORS),
 * nor pages whose name was made to resolve to the proxy (DNS rebinding: their Host header gives them away),
 * nor anybody who comes through another proxy.
 */
import { hostName } from "../../ground/host-name.ts";
import { isIpv4, isIpv6 } from "../../ground/ip-address.ts";
import { METRICS, PAGE, SCRAPE_TARGETS, STATUS } from "../../ground/paths.ts";
import { quoted } from "../../ground/printable.ts";
import type { Status } from "../../status.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Target } from "../target.ts";
import { errorResponse } from "./errors.ts";
import { isRead, notServed } from "./local.ts";
import { metricsResponse } from "./metrics.ts";
import { pageResponse, wantsPage } from "./page.ts";
import { type ScrapeTarget, scrapeTargetsResponse } from "./scrape-targets.ts";
import { statusAnswers } from "./status-answer.ts";

export type InnerInit = {
  readonly log: Log;
  /** What `GET /status` shows. */
  readonly status?: (() => Status) | undefined;
  /** The servers whose own metrics can be read; undefined as long as they are not known. */
  readonly scrapeTargets?: (() => readonly ScrapeTarget[] | undefined) | undefined;
  /** What `GET /metrics` shows; undefined if it is off. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Names under which they may be asked for, beside local ones; in lower case. */
  readonly trustedHosts?: readonly string[] | undefined;
};

export type Inner = {
  /** Says whether a request is for one of these. Pages may read no answer to it, whatever it says. */
  readonly has: (request: Request, target: Target) => boolean;
  readonly answer: (request: Request, target: Target) => Response | Promise<Response>;
};

type Answer = (request: Request) => Response | Promise<Response>;

export function createInner(init: InnerInit): Inner {
  const { log, status, scrape, scrapeTargets = () => [], trustedHosts = [] } = init;
  // A page that is off keeps its path, so that nobody can tell whether it is off.
  const answers = new Map<string, Answer | undefined>([
    [PAGE, pageResponse],
    [STATUS, status && statusAnswers(status)],
    [SCRAPE_TARGETS, () => scrapeTargetsResponse(scrapeTargets())],
    [METRICS, scrape && (() => metricsResponse(scrape))],
  ]);
  const trusted = new Set(trustedHosts);
  const warnOfHost = hostWarnings(log);
  return {
    // Clients that are no browsers ask for `/` too, to see whether somebody is there.
    has: (request, { path }) => answers.has(path) && (path !== PAGE || wantsPage(request)),
    answer: (request, { path }) => {
      const answer = answers.get(path);
      if (answer === undefined || !isDirect(request)) return notServed();
      const host = request.headers.get("host") ?? "";
      if (isLocalHost(host, trusted)) return answer(request);
      warnOfHost(host);
      return errorResponse(
        "not_found",
        `Cannot serve the request: ${path} is not for the Host ${quoted(host, HOST_LENGTH_MAX)}; ask by IP address, or name that host in PROXY_TRUSTED_HOSTS`,
      );
    },
  };
}

/**
 * Says whether a request has come through no other proxy. A proxy in front that passes on what begins with
 * `/v1` must not open these pages: Bun turns `/v1/../status` into `/status` before we see it.
 */
function isDirect(request: Request): boolean {
  const { headers } = request;
  return isRead(request) && !headers.has("x-forwarded-for") && !headers.has("forwarded");
}

/** How much of a Host messages show. */
const HOST_LENGTH_MAX = 100;

/** Names that nobody can have in the DNS of the internet. RFC 6762 §3, RFC 8375, ICANN's `.internal`. */
const LOCAL_DOMAINS = [".local", ".internal", ".lan", ".home.arpa"];

/**
 * Says whether no stranger's page can have this Host: an IP address, a name without a dot (such as
 * `localhost`), a name in a domain that is never public, or a trusted name. Two Host headers come joined by a
 * comma, which is no name.
 *
 * @param trusted names as `hostName` returns them
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

/** Anybody can make up Hosts: no more than this many are ever logged. */
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
