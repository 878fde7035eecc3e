/** Anthropic's Messages API. */
import { type Call, type Dialect, serverSentEvent } from "./generation.ts";

export const MESSAGES: Dialect = {
  whole: (call, text) => ({
    ...head(call),
    content: [{ type: "text", text }],
    stop_reason: "end_turn",
    usage: { input_tokens: call.promptTokens, output_tokens: call.pace.tokens },
  }),
  async *events(call, tokens) {
    const event = (type: string, fields: object): string =>
      serverSentEvent({ type, ...fields }, type);

    const usage = { input_tokens: call.promptTokens, output_tokens: 0 };
    yield event("message_start", {
      message: { ...head(call), content: [], stop_reason: null, usage },
    });
    yield event("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
    for await (const text of tokens) {
      yield event("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
    }
    yield event("content_block_stop", { index: 0 });
    yield event("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: call.pace.tokens },
    });
    yield event("message_stop", {});
  },
};

export function tokenCount(call: Call): object {
  return { input_tokens: call.promptTokens };
}

/** vLLM writes its own error name where Anthropic has `not_found_error`. */
export function anthropicError(type: string, message: string): unknown {
  return { type: "error", error: { type, message } };
}

function head(call: Call): object {
  return {
    id: `msg_${call.id}`,
    type: "message",
    role: "assistant",
    model: call.model,
    stop_sequence: null,
  };
}
