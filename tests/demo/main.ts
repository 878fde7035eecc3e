/**
 * `npm run demo` shows what the proxy does, without Docker and without a GPU. The proxy is real.
 * The engine and the two inference servers are stand-ins on this machine.
 */
import { until } from "../support/until.ts";
import { createScreen, type Screen } from "./screen.ts";
import { type DemoContainer, type Stage, setStage } from "./stage.ts";
import { keepTraffic } from "./traffic.ts";

const PORT = 8080;
const PAUSE_MS = 400;
const OPTIONS = ["--once", "--traffic"];

const USAGE = `usage: npm run demo [-- [--once] [--traffic]]
  --once     ends by itself
  --traffic  keeps requests going while it stays up, so that there is something to see on the page
`;

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const once = args.includes("--once");
  if (args.some((arg) => !OPTIONS.includes(arg))) {
    process.stderr.write(USAGE);
    process.exit(2);
  }
  const screen = createScreen();
  await using stage = await setStage();
  const interrupted = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupted.resolve);
  process.stdout.on("error", interrupted.resolve); // the reader of our output has gone

  const show = async (): Promise<void> => {
    const { origin, llama, claude } = await tour(stage, screen);
    if (once) return;
    const ended = new AbortController();
    if (args.includes("--traffic")) {
      const replicas = await addReplicas(stage);
      const chats = [replicas.model, llama.model, replicas.model];
      const { signal } = ended;
      void keepTraffic({ origin, chats, messages: claude.model, signal });
      screen.note("The demo keeps sending requests. Some of them fail on purpose.");
    }
    const command = stage.commandLine(Number(new URL(origin).port));
    screen.note(`To drain a server, run: ${command} drain ${llama.name}`);
    screen.note(
      `The proxy keeps running. Open ${origin}/ in a browser, or try the commands above. Press Ctrl-C to end the demo and clean up.`,
    );
    await interrupted.promise;
    ended.abort();
  };
  await Promise.race([show(), interrupted.promise]);
  screen.note("Done.");
}

type Shown = {
  readonly origin: string;
  readonly llama: DemoContainer;
  readonly claude: DemoContainer;
};

async function tour(stage: Stage, screen: Screen): Promise<Shown> {
  const port = choosePort(screen);
  const origin = `http://localhost:${port}`;
  screen.title("lw-inference-proxy, a demo");
  screen.note("Starting a stand-in Docker engine, two chat servers and the proxy …");
  const llama = await stage.addContainer({
    name: "llama-1",
    model: "llama-3.2-3b",
    text: "The answer arrives word by word, exactly as the server sends it. ",
    anthropic: false,
  });
  const claude = await stage.addContainer({
    name: "vllm-1",
    model: "claude-local",
    text: "I am an Anthropic message from another server, behind the same endpoint.",
    anthropic: true,
  });
  await stage.startProxy(port, screen.log);
  screen.note(`  engine     unix://${stage.engine.socketPath}`);
  for (const { name, model } of [llama, claude])
    screen.note(`  container  ${name} serves ${model}`);
  screen.note(`  proxy      ${origin}`);
  screen.note(`  its page   ${origin}/`);

  await requests(origin, screen, llama, claude);
  await stopDuringAnswer(origin, screen, llama);
  return { origin, llama, claude };
}

/** Two containers that share one model. The engine reports them like any container that starts. */
async function addReplicas(stage: Stage): Promise<{ readonly model: string }> {
  const model = "qwen3-8b";
  const text = "Two servers share this model. The proxy sends each request to one of them. ".repeat(
    3,
  );
  for (const name of ["qwen-gpu-0", "qwen-gpu-1"]) {
    await stage.addContainer({ name, model, text, anthropic: false, replica: true });
  }
  return { model };
}

/** 8080, as in README.md. Another port if 8080 is taken. */
function choosePort(screen: Screen): number {
  try {
    Bun.serve({ port: PORT, fetch: () => new Response() }).stop(true);
    return PORT;
  } catch {
    const free = Bun.serve({ port: 0, fetch: () => new Response() });
    const port = free.port ?? 0;
    free.stop(true);
    screen.note(`Port ${PORT} is taken, so the proxy uses port ${port}.`);
    return port;
  }
}

async function requests(
  origin: string,
  screen: Screen,
  llama: DemoContainer,
  claude: DemoContainer,
): Promise<void> {
  const messages = [{ role: "user", content: "Hello" }];
  await screen.step("Which models are available?");
  await screen.get(`${origin}/v1/models`);
  await screen.step("A streamed chat completion: the proxy routes it by its model");
  await screen.stream(`${origin}/v1/chat/completions`, {
    model: llama.model,
    stream: true,
    messages,
  });
  await screen.step("An Anthropic message: it goes to the other server");
  await screen.post(`${origin}/v1/messages`, { model: claude.model, max_tokens: 64, messages });
  await screen.step("A model that no server has");
  await screen.post(`${origin}/v1/chat/completions`, { model: "gpt-unheard-of", messages });
}

async function stopDuringAnswer(
  origin: string,
  screen: Screen,
  llama: DemoContainer,
): Promise<void> {
  const url = `${origin}/v1/chat/completions`;
  const body = { model: llama.model, stream: true, messages: [{ role: "user", content: "Hello" }] };
  await screen.step(`docker stop ${llama.name}, in the middle of an answer`);
  const answer = screen.stream(url, body);
  await Bun.sleep(PAUSE_MS); // so that the reader sees the answer begin
  const stopped = llama.stop();
  await untilListed(origin, llama.model, false);
  const meanwhile = await fetch(url, { method: "POST", body: JSON.stringify(body), proxy: false });
  const { error } = (await meanwhile.json()) as { readonly error: { readonly code: string } };
  await answer;
  screen.note(
    `The server finished its answer. A new request got ${meanwhile.status} ${error.code}. Clients retry this by themselves.`,
  );
  await stopped;
  await screen.step("The model has left the list");
  await screen.get(`${origin}/v1/models`);
  await screen.step(`docker start ${llama.name}: the model comes back by itself`);
  await llama.start();
  await untilListed(origin, llama.model, true);
  await screen.get(`${origin}/v1/models`);
}

const LIST_BOUND_MS = 5_000;

async function untilListed(origin: string, model: string, isListed: boolean): Promise<void> {
  const url = `${origin}/v1/models/${model}`;
  await until(
    `${model} is ${isListed ? "listed" : "not listed"}`,
    async () => (await fetch(url, { proxy: false })).ok === isListed,
    LIST_BOUND_MS,
  );
}

await main();
process.exit(0);
