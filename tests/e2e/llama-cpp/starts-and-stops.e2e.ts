/** The real llama.cpp behind the compiled binary: it starts, loads slowly, stops, restarts, and is replaced. */
import { expect, test } from "bun:test";
import { chat, modelIds, streamedChat } from "../../support/client/requests.ts";
import { startLlama } from "../../support/llama-cpp/containers.ts";
import { untilListed, useLlamaStage } from "../../support/llama-cpp/stage.ts";
import { BINARY } from "../../support/proxy/compiled.ts";
import { untilShown } from "../../support/proxy/shown-status.ts";
import { dockerCli } from "../../support/server/inference-server/image.ts";
import { until, within } from "../../support/until.ts";

const ENDLESS = { messages: [{ role: "user", content: "hello" }], max_tokens: 1_000_000 };
const LOAD_BOUND_MS = 60_000;
const TIMEOUT_MS = 150_000;

const llama = useLlamaStage("chat");

async function outcome(model: string): Promise<string> {
  const response = await chat(llama.origin, model, { max_tokens: 2 });
  if (response.ok) return String(response.status);
  const { error } = (await response.json()) as { readonly error: { readonly code: string } };
  return `${response.status} ${error.code}`;
}

/** Repeats the request until there is an answer. Resolves with all different errors before it. */
async function outcomesUntilAnswered(model: string): Promise<readonly string[]> {
  const seen = new Set<string>();
  const isAnswered = async (): Promise<boolean> => {
    const last = await outcome(model);
    if (last === "200") return true;
    seen.add(last);
    return false;
  };
  await until(`${model} answers`, isAnswered, LOAD_BOUND_MS);
  return [...seen];
}

async function untilUnlisted(model: string): Promise<void> {
  const isGone = async (): Promise<boolean> => !(await modelIds(llama.origin)).includes(model);
  await until(`${model} is not listed`, isGone, 5_000);
}

test(
  "a server that loads 300 MB is starting until it has loaded; when removed and recreated, requests get 503 until it has loaded",
  async () => {
    const server = await startLlama("slow");
    await untilShown(llama.origin, server.name, { state: "starting" });
    expect(await modelIds(llama.origin)).toEqual(["chat"]);
    await untilListed(llama.origin, ["slow"], LOAD_BOUND_MS);

    await dockerCli("rm", "--force", server.name);
    await startLlama("slow", { name: server.name });
    await untilShown(llama.origin, server.name, { state: "starting" });
    expect(await outcomesUntilAnswered("slow")).toEqual(["503 backend_unavailable"]);
    await dockerCli("rm", "--force", server.name);
  },
  TIMEOUT_MS,
);

test(
  "docker restart: 503 from the stop notice until it has loaded again, then it is back by itself",
  async () => {
    const { name } = llama.servers.chat;
    const restarted = dockerCli("restart", "--time", "3", name);
    await untilUnlisted("chat");
    await restarted;
    // In between the container looks stopped, because the engine does not say that it will start it again.
    await untilShown(llama.origin, name, { state: expect.not.stringMatching("stop") });
    for (const one of await outcomesUntilAnswered("chat")) expect(one).toMatch(/^503 /);
  },
  TIMEOUT_MS,
);

test(
  "drain, then docker stop, during a stream: the answer is complete",
  async () => {
    const { name } = llama.servers.chat;
    const { end } = await streamedChat(llama.origin, "chat", { ...ENDLESS, max_tokens: 2_000 });
    const env = { PROXY_PORT: new URL(llama.origin).port };
    const drain = Bun.spawn([BINARY, "drain", name], { env, stdout: "pipe" });
    const said = await within("the output of drain", drain.stdout.text(), 30_000);
    expect(said).toBe(
      `${name}: draining; 1 request in flight\n${name}: drained; no requests left\n`,
    );
    await dockerCli("stop", "--time", "3", name);
    expect(await within("the answer's end", end)).toBe("complete");
    await dockerCli("start", name);
    await untilListed(llama.origin, ["chat"], LOAD_BOUND_MS);
  },
  TIMEOUT_MS,
);

test(
  "docker stop during a stream: the server gets no new requests, and the answer that it does not finish looks incomplete",
  async () => {
    const { end, text } = await streamedChat(llama.origin, "chat", ENDLESS);
    const stopped = dockerCli("stop", "--time", "3", llama.servers.chat.name);
    await untilUnlisted("chat");
    expect(await outcome("chat")).toBe("503 backend_draining");
    expect(await within("the answer's end", end, 20_000)).toStartWith("broken off");
    expect(text()).not.toContain("[DONE]");
    await stopped;
    const isForgotten = async (): Promise<boolean> =>
      (await outcome("chat")) === "404 model_not_found";
    await until("the model is unknown", isForgotten);
  },
  TIMEOUT_MS,
);
