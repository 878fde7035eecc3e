/** A running Prometheus with the configuration of deploy/prometheus, and queries to it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../proxy/compiled.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { until } from "../until.ts";
import { providePrometheus } from "./package.ts";
import { CONFIGURATION } from "./rules.ts";

type Labels = Readonly<Record<string, string>>;

type Sample = { readonly labels: Labels; readonly value: number };

type ScrapedTarget = {
  readonly labels: Labels;
  readonly scrapeUrl: string;
  readonly health: "up" | "down" | "unknown";
};

export type Prometheus = AsyncDisposable & {
  /** The current result of a query. @throws with Prometheus' error message if the query is wrong */
  readonly query: (text: string) => Promise<readonly Sample[]>;
  readonly targets: (job: string) => Promise<readonly ScrapedTarget[]>;
  /** Each alert rule, and the result of its last evaluation: `ok`. */
  readonly rules: () => Promise<Readonly<Record<string, string>>>;
  /** One of Prometheus' metrics about itself. 0 if it does not exist. */
  readonly own: (metric: string) => Promise<number>;
};

/**
 * Values of the configuration that a test must replace: the proxy's name, and times that are too long to wait
 * for.
 */
const PROXY = "proxy:8080";
const PACE = /\b15s\b/g;
const TEST_PACE = "1s";
const START_BOUND_MS = 20_000;

/** @param proxy host and port of the proxy */
export async function startPrometheus(proxy: string): Promise<Prometheus> {
  await using stack = new AsyncDisposableStack();
  const { prometheus } = await providePrometheus();
  const { path } = stack.use(temporaryDirectory());
  const file = copyConfiguration(path, proxy);
  const address = `127.0.0.1:${freePort()}`;
  const child = Bun.spawn(
    [
      prometheus,
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(path, "data")}`,
      `--web.listen-address=${address}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const errors = child.stderr.text();
  const origin = `http://${address}`;
  let hasEnded = false;
  void child.exited.then(() => (hasEnded = true));
  await until(
    "Prometheus is ready",
    async () => {
      if (hasEnded) throw new Error(`Prometheus ended: ${await errors}`);
      const answer = await fetch(`${origin}/-/ready`).catch(() => undefined);
      return answer?.status === 200;
    },
    START_BOUND_MS,
  );
  const started = stack.move();
  return { ...api(origin), [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** @returns the path of the copy */
function copyConfiguration(folder: string, proxy: string): string {
  const text = readFileSync(join(CONFIGURATION, "prometheus.yml"), "utf8");
  const file = join(folder, "prometheus.yml");
  writeFileSync(file, text.replaceAll(PROXY, proxy).replaceAll(PACE, TEST_PACE));
  writeFileSync(join(folder, "alerts.yml"), readFileSync(join(CONFIGURATION, "alerts.yml")));
  return file;
}

function api(origin: string): Omit<Prometheus, typeof Symbol.asyncDispose> {
  const ask = async <Data>(path: string): Promise<Data> => {
    const answer = await fetch(`${origin}/api/v1/${path}`);
    const reply = (await answer.json()) as { readonly data: Data; readonly error?: string };
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply.data;
  };
  return {
    query: async (text) => {
      type Found = { readonly metric: Labels; readonly value: readonly [number, string] };
      const path = `query?query=${encodeURIComponent(text)}`;
      const { result } = await ask<{ readonly result: readonly Found[] }>(path);
      return result.map(({ metric, value: [, value] }) => ({
        labels: metric,
        value: Number(value),
      }));
    },
    targets: async (job) => {
      type Targets = { readonly activeTargets: readonly ScrapedTarget[] };
      const { activeTargets } = await ask<Targets>("targets?state=active");
      return activeTargets.filter(({ labels }) => labels["job"] === job);
    },
    rules: async () => {
      type Rule = { readonly name: string; readonly health: string; readonly lastError?: string };
      type Groups = { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
      const { groups } = await ask<Groups>("rules?type=alert");
      const rules = groups.flatMap((group) => group.rules);
      return Object.fromEntries(
        rules.map(({ name, health, lastError }) => [name, lastError ?? health]),
      );
    },
    own: async (metric) => {
      const text = await fetch(`${origin}/metrics`).then((answer) => answer.text());
      const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{.*\\})? (\\S+)$`, "gm"))];
      return values.reduce((sum, [, value]) => sum + Number(value), 0);
    },
  };
}
