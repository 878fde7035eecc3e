/** OpenAI's Responses API. It stores nothing: vLLM's store is off by default too. */
import { usageOf } from "./call.ts";
import { type Call, type Dialect, serverSentEvent } from "./generation.ts";

export const RESPONSES: Dialect = {
  whole: (call, text) => response(call, "completed", [message(call, "completed", [part(text)])]),
  async *events(call, tokens) {
    for await (const event of responseEvents(call, tokens))
      yield serverSentEvent(event, event.type);
  },
};

export type ResponseEvent = { readonly type: string; readonly [field: string]: unknown };

/** The same events for server-sent events and for a WebSocket. */
export async function* responseEvents(
  call: Call,
  tokens: AsyncIterable<string>,
): AsyncGenerator<ResponseEvent> {
  let sequence = 0;
  const event = (type: string, fields: object): ResponseEvent => {
    const payload = { ...fields, sequence_number: sequence, type };
    sequence += 1;
    return payload;
  };
  const inItem = { item_id: `msg_${call.id}`, output_index: 0, content_index: 0 };

  yield event("response.created", { response: response(call, "in_progress", []) });
  yield event("response.in_progress", { response: response(call, "in_progress", []) });
  const opened = message(call, "in_progress", []);
  yield event("response.output_item.added", { output_index: 0, item: opened });
  yield event("response.content_part.added", { ...inItem, part: part("") });

  let text = "";
  for await (const delta of tokens) {
    text += delta;
    yield event("response.output_text.delta", { ...inItem, delta, logprobs: [] });
  }

  yield event("response.output_text.done", { ...inItem, text, logprobs: [] });
  yield event("response.content_part.done", { ...inItem, part: part(text) });
  const closed = message(call, "completed", [part(text)]);
  yield event("response.output_item.done", { output_index: 0, item: closed });
  yield event("response.completed", { response: response(call, "completed", [closed]) });
}

function response(call: Call, status: string, output: readonly object[]): object {
  return {
    id: `resp_${call.id}`,
    object: "response",
    created_at: call.createdS,
    model: call.model,
    status,
    error: null,
    incomplete_details: null,
    output,
    tools: [],
    usage: status === "completed" ? usageOf(call) : null,
  };
}

function message(call: Call, status: string, content: readonly object[]): object {
  return { id: `msg_${call.id}`, type: "message", role: "assistant", status, content };
}

function part(text: string): object {
  return { type: "output_text", text, annotations: [] };
}
