/** A proxy in front of numbered servers. */
import { makeBackend } from "../server/backends.ts";
import { type FakeBackend, fakeBackend } from "../server/scripted.ts";
import { type RunningProxy, startProxy } from "./in-process.ts";

function answering(name: string): FakeBackend {
  return fakeBackend(({ target }) =>
    Response.json(target.endsWith("/responses") ? { id: `resp_${name}` } : {}, {
      headers: { "x-served-by": name },
    }),
  );
}

type Proxy = RunningProxy & { readonly servers: readonly FakeBackend[] };

/** A proxy in front of servers with the models m1, m2 and so on. */
export function proxyTo(count: number, init: Parameters<typeof startProxy>[0] = {}): Proxy {
  const servers = Array.from({ length: count }, (_, n) => answering(`${n + 1}`));
  const backends = servers.map(({ origin }, n) =>
    makeBackend({ origin, models: [{ id: `m${n + 1}` }], run: { id: `c${n + 1}` } }),
  );
  const proxy = startProxy({ backends, ...init });
  return {
    ...proxy,
    servers,
    [Symbol.dispose]: () => {
      proxy[Symbol.dispose]();
      for (const server of servers) server[Symbol.dispose]();
    },
  };
}

/** The server that answered, or status, code and message of the error. */
export async function ask(
  proxy: RunningProxy,
  path: string,
  init: RequestInit & { readonly duplex?: "half" } = {},
): Promise<string> {
  const response = await fetch(`${proxy.origin}/v1${path}`, init);
  const text = await response.text();
  const by = response.headers.get("x-served-by");
  if (by !== null) return by;
  const { error } = JSON.parse(text) as { error: { code: string; message: string } };
  return `${response.status} ${error.code}: ${error.message}`;
}

export const json = (body: string, method = "POST"): RequestInit => ({ method, body });

export function form(fields: Readonly<Record<string, string>>): RequestInit {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return { method: "POST", body };
}
