/** OpenAI's chat, legacy completions, embeddings and model list, with the extra fields that vLLM sends. */
import { type Call, type Dialect, serverSentEvent } from "./generation.ts";

const DONE = "data: [DONE]\n\n";

export const CHAT: Dialect = {
  whole: (call, text) => ({
    ...chatHead(call, "chat.completion"),
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: text, reasoning_content: null, tool_calls: [] },
        logprobs: null,
        finish_reason: "stop",
        stop_reason: null,
      },
    ],
    usage: usage(call),
  }),
  async *events(call, tokens) {
    const chunk = (delta: object, finish: string | null): string =>
      serverSentEvent({
        ...chatHead(call, "chat.completion.chunk"),
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      });
    yield chunk({ role: "assistant", content: "" }, null);
    for await (const content of tokens) yield chunk({ content }, null);
    yield chunk({ content: "" }, "stop");
    if (call.includeUsage) yield usageChunk(call, chatHead(call, "chat.completion.chunk"));
    yield DONE;
  },
};

export const COMPLETION: Dialect = {
  whole: (call, text) => ({
    ...completionHead(call),
    choices: [{ index: 0, text, logprobs: null, finish_reason: "stop", stop_reason: null }],
    usage: usage(call),
  }),
  async *events(call, tokens) {
    const chunk = (text: string, finish: string | null): string =>
      serverSentEvent({
        ...completionHead(call),
        choices: [{ index: 0, text, logprobs: null, finish_reason: finish, stop_reason: null }],
      });
    for await (const text of tokens) yield chunk(text, null);
    yield chunk("", "stop");
    if (call.includeUsage) yield usageChunk(call, completionHead(call));
    yield DONE;
  },
};

export function embeddings(call: Call): object {
  return {
    id: `embd-${call.id}`,
    object: "list",
    created: call.createdS,
    model: call.model,
    data: [{ index: 0, object: "embedding", embedding: [0.25, -0.5, 0.125] }],
    usage: {
      prompt_tokens: call.promptTokens,
      total_tokens: call.promptTokens,
      completion_tokens: 0,
    },
  };
}

/** As in vLLM, `created` is the time of the request: the list differs with each read. */
export function modelList(models: readonly string[]): object {
  const created = Math.floor(Date.now() / 1000);
  return {
    object: "list",
    data: models.map((id) => ({
      id,
      object: "model",
      created,
      owned_by: "vllm",
      root: id,
      parent: null,
      max_model_len: 8192,
      permission: [],
    })),
  };
}

/** vLLM's error body: `code` repeats the status as a number. */
export function openAiError(status: number, type: string, message: string, param?: string): object {
  return { error: { message, type, param: param ?? null, code: status } };
}

function chatHead(call: Call, object: string): object {
  return { id: `chatcmpl-${call.id}`, object, created: call.createdS, model: call.model };
}

function completionHead(call: Call): object {
  return {
    id: `cmpl-${call.id}`,
    object: "text_completion",
    created: call.createdS,
    model: call.model,
  };
}

function usageChunk(call: Call, head: object): string {
  return serverSentEvent({ ...head, choices: [], usage: usage(call) });
}

function usage(call: Call): object {
  return {
    prompt_tokens: call.promptTokens,
    total_tokens: call.promptTokens + call.pace.tokens,
    completion_tokens: call.pace.tokens,
    prompt_tokens_details: null,
  };
}
