/**
 * The pages with internal facts, such as names and addresses of the host's containers. Only operators may read them:
 * they ask the proxy directly, by its address or a local name. The proxy refuses web pages of other origins (no CORS),
 * pages whose name was made to resolve to the proxy (DNS rebinding; their Host header shows it), and every request
 * that comes through another proxy.
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
  /** The content of `GET /status`. */
  readonly status?: (() => Status) | undefined;
  /** The targets for Prometheus; it returns undefined while they are not known. */
  readonly scrapeTargets?: (() => readonly ScrapeTarget[] | undefined) | undefined;
  /** The content of `GET /metrics`; undefined if it is off. */
  readonly scrape: (() => Promise<string>) | undefined;
  /** Hosts that may be used for these pages, in addition to local names; in lower case. */
  readonly trustedHosts?: readonly string[] | undefined;
};

export type Inner = {
  /** Tells whether a request is for one of these pages. Web pages must never read the answer. */
  readonly has: (request: Request, target: Target) => boolean;
  readonly answer: (request: Request, target: Target) => Response | Promise<Response>;
};

/** What to do about a page that is off. */
const OFF: Readonly<Record<string, string>> = {
  [METRICS]: `${METRICS} is off; set PROXY_METRICS=true`,
};

type Answer = (request: Request) => Response | Promise<Response>;

export function createInner(init: InnerInit): Inner {
  const { log, status, scrape, scrapeTargets = () => [], trustedHosts = [] } = init;
  // A page that is off keeps its path, so that only operators can see whether it is off.
  const answers = new Map<string, Answer | undefined>([
    [PAGE, pageResponse],
    [STATUS, status && statusAnswers(status)],
    [SCRAPE_TARGETS, () => scrapeTargetsResponse(scrapeTargets())],
    [METRICS, scrape && (() => metricsResponse(scrape))],
  ]);
  const trusted = new Set(trustedHosts);
  const warnOfHost = hostWarnings(log);
  return {
    // Other clients ask for `/` too, to check whether a server is there.
    has: (request, { path }) => answers.has(path) && (path !== PAGE || wantsPage(request)),
    answer: (request, { path }) => {
      const answer = answers.get(path);
      if (!isDirect(request)) return notServed();
      const host = request.headers.get("host") ?? "";
      if (isLocalHost(host, trusted)) return answer?.(request) ?? notServed(OFF[path]);
      if (answer === undefined) return notServed();
      warnOfHost(host);
      return errorResponse(
        "not_found",
        `Cannot serve the request: ${path} is not available under the Host ${quoted(host, HOST_LENGTH_MAX)}; use the proxy's IP address, or add this host to PROXY_TRUSTED_HOSTS`,
      );
    },
  };
}

/**
 * Tells whether a request came without another proxy in between. A front proxy that passes on only paths below `/v1`
 * must not open these pages by accident: Bun turns `/v1/../status` into `/status` before this code sees it.
 */
function isDirect(request: Request): boolean {
  const { headers } = request;
  return isRead(request) && !headers.has("x-forwarded-for") && !headers.has("forwarded");
}

/** The longest Host to show in messages, in characters. */
const HOST_LENGTH_MAX = 100;

/** Domains that cannot exist in the public DNS. RFC 6762 §3, RFC 8375, ICANN's `.internal`. */
const LOCAL_DOMAINS = [".local", ".internal", ".lan", ".home.arpa"];

/**
 * Tells whether this Host is safe, because no foreign web page can have it: an IP address, a name without a dot (such
 * as `localhost`), a name in a domain that is never public, or a trusted name. Bun joins two Host headers with a comma;
 * the result is not a name.
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

/** The most Hosts to ever log: clients can invent any number. */
const HOSTS_MAX = 10;

function hostWarnings(log: Log): (host: string) => void {
  const told = new Set<string>();
  return (host) => {
    const shown = host.slice(0, HOST_LENGTH_MAX).toLowerCase();
    if (told.size >= HOSTS_MAX || told.has(shown)) return;
    told.add(shown);
    log.warn("untrusted host", {
      host: shown,
      reason:
        "A client asked for the page, /status or /metrics under this host name. If the name is yours, add it to PROXY_TRUSTED_HOSTS.",
    });
  };
}
