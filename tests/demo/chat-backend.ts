/**
 * A small chat server for the demo, in a process of its own. It reads MODEL and TEXT from the
 * environment and prints its port on stdout. With ANTHROPIC=1 it answers /v1/messages as well. On
 * SIGTERM it finishes its answers before it exits, as a well-behaved inference server does.
 */
const MODEL = process.env["MODEL"] ?? "demo";
const WORDS = (process.env["TEXT"] ?? "Hello.").split(/(?<= )/);
const SPEAKS_ANTHROPIC = process.env["ANTHROPIC"] === "1";
const WORD_PAUSE_MS = 60;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  development: false, // otherwise an error is a page of HTML
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: [MODEL_CARD] }),
    "/v1/chat/completions": { POST: chat },
    "/v1/messages": { POST: messages },
  },
  fetch: () => Response.json({ detail: "Not Found" }, { status: 404 }),
});

const MODEL_CARD = { id: MODEL, object: "model", created: 1_795_000_000, owned_by: "demo" };

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => void server.stop().then(() => process.exit(0)));
}
console.log(server.port);

type ChatRequest = {
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
};

async function chat(request: Request): Promise<Response> {
  const asked = (await request.json().catch(() => undefined)) as ChatRequest | null | undefined;
  if (asked === null || asked === undefined) {
    return Response.json({ error: { message: "invalid JSON" } }, { status: 400 });
  }
  const { stream, stream_options } = asked;
  const head = { id: "chatcmpl-1", created: MODEL_CARD.created, model: MODEL };
  if (stream !== true) {
    const message = { role: "assistant", content: WORDS.join("") };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    return Response.json({ ...head, object: "chat.completion", choices });
  }
  return events(async function* () {
    for (const [index, content] of WORDS.entries()) {
      if (index > 0) await Bun.sleep(WORD_PAUSE_MS);
      const choices = [{ index: 0, delta: { content }, finish_reason: null }];
      yield `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices })}\n\n`;
    }
    if (stream_options?.include_usage === true) {
      const usage = { prompt_tokens: 8, completion_tokens: WORDS.length };
      yield `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\n`;
    }
    yield "data: [DONE]\n\n";
  });
}

function messages(): Response {
  if (!SPEAKS_ANTHROPIC) return Response.json({ detail: "Not Found" }, { status: 404 });
  return Response.json({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [{ type: "text", text: WORDS.join("") }],
    stop_reason: "end_turn",
    usage: { input_tokens: 8, output_tokens: WORDS.length },
  });
}

function events(generate: () => AsyncGenerator<string>): Response {
  return new Response(generate(), { headers: { "content-type": "text/event-stream" } });
}
