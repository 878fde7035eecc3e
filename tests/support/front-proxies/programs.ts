/** Stand-ins for people's front proxies: Debian's nginx, HAProxy and Caddy, each with its file in config/. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, rawConnect } from "../client/raw-http.ts";
import { installPackages } from "../debian-package.ts";
import { openDirectory } from "../temporary-directory.ts";
import { until } from "../until.ts";

type FrontProxyKind = {
  readonly program: string;
  readonly file: string;
  readonly args: (config: string) => readonly string[];
  /** More placeholders in the file: `@KEY@` → value. */
  readonly values?: Readonly<Record<string, string>>;
};

const NGINX = { program: "nginx", file: "nginx.conf", args: (config: string) => ["-c", config] };

/** The settings of docs/front-proxies.md. */
export const NGINX_VALUES = {
  HTTP: "1.1",
  UPGRADE: "$http_upgrade",
  CONNECTION: "$connection_upgrade",
};

export const FRONT_PROXIES = {
  // Old settings, without support for WebSockets.
  "nginx, HTTP/1.0": { ...NGINX, values: { HTTP: "1.0", UPGRADE: '""', CONNECTION: '""' } },
  "nginx, HTTP/1.1": { ...NGINX, values: NGINX_VALUES },
  HAProxy: { program: "haproxy", file: "haproxy.cfg", args: (config) => ["-db", "-f", config] },
  Caddy: {
    program: "caddy",
    file: "Caddyfile",
    args: (config) => ["run", "--adapter", "caddyfile", "--config", config],
  },
} satisfies Readonly<Record<string, FrontProxyKind>>;

export type FrontProxyName = keyof typeof FRONT_PROXIES;

export function isInstalled(): boolean {
  return Object.values(FRONT_PROXIES).every(({ program }) => Bun.which(program) !== null);
}

/** Installs the front proxies from Debian, as root. */
export function installFrontProxies(): Promise<void> {
  return installPackages(["nginx-light", "haproxy", "caddy"]);
}

/**
 * Starts a front proxy in front of `proxyPort`, and waits until it listens. Use it with `await using`.
 *
 * @param timeout replaces `1h` everywhere in the configuration
 */
export async function startFrontProxy(
  name: FrontProxyName,
  proxyPort: number,
  timeout = "1h",
): Promise<AsyncDisposable & { readonly port: number }> {
  const kind: FrontProxyKind = FRONT_PROXIES[name];
  const directory = openDirectory(); // nginx's worker runs as another user
  const port = await freePort();
  const values = {
    ...kind.values,
    LISTEN: String(port),
    PROXY: String(proxyPort),
    DIRECTORY: directory.path,
  };
  let text = readFileSync(join(import.meta.dir, "config", kind.file), "utf8");
  for (const [key, value] of Object.entries(values)) text = text.replaceAll(`@${key}@`, value);
  text = text.replace(/\b1h\b/g, timeout);
  const config = join(directory.path, kind.file);
  writeFileSync(config, text);
  const child = Bun.spawn([kind.program, ...kind.args(config)], {
    env: { PATH: process.env["PATH"] ?? "", HOME: directory.path },
    stdio: ["ignore", "ignore", "ignore"],
  });
  await until(
    `${name} listens`,
    () =>
      rawConnect(port).then(
        (connection) => {
          connection[Symbol.dispose]();
          return true;
        },
        () => false,
      ),
    10_000,
  );
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM"); // nginx passes it on to its workers
      const patience = setTimeout(() => child.kill("SIGKILL"), 2_000); // Caddy waits for its clients
      await child.exited;
      clearTimeout(patience);
      directory[Symbol.dispose]();
    },
  };
}
