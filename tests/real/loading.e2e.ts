/** The real llama.cpp while it loads a model, behind the compiled binary. */
import { expect, test } from "bun:test";
import { chat } from "../support/client/requests.ts";
import { startLlama } from "../support/llama-cpp/containers.ts";
import { untilListed, useLlamaStage } from "../support/llama-cpp/stage.ts";
import { untilShown } from "../support/proxy/shown-status.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";

const LOAD_BOUND_MS = 60_000;
const TIMEOUT_MS = 150_000;

const llama = useLlamaStage("chat");

test(
  "a health check that passes too early: the proxy asks for the models until the server has loaded them, then routes",
  async () => {
    const flags = ["--health-cmd", "/usr/bin/busybox true"];
    const { name } = await startLlama("slow", { flags });
    const reason = expect.stringContaining("503");
    await untilShown(llama.origin, name, { state: "reading_models", reason });
    await untilListed(llama.origin, ["slow"], LOAD_BOUND_MS);
    expect((await chat(llama.origin, "slow", { max_tokens: 2 })).status).toBe(200);
    await dockerCli("rm", "--force", name);
  },
  TIMEOUT_MS,
);

test(
  "a router that loads its model at the first request: that request waits, requests to other servers do not",
  async () => {
    const { name } = await startLlama("router", { flags: ["--cpus", "0.1"] });
    await untilListed(llama.origin, ["tiny"], LOAD_BOUND_MS);
    const first = chat(llama.origin, "tiny", { max_tokens: 2 });
    const other = await chat(llama.origin, "chat", { max_tokens: 2 });
    expect(other.status).toBe(200);
    expect((await first).status).toBe(200);
    await dockerCli("rm", "--force", name);
  },
  TIMEOUT_MS,
);
