/**
 * The text-only part of OpenAI's Realtime API: events in and out, each as one JSON text message. It knows no
 * audio. Like OpenAI's server, it reports errors with an `error` event and keeps the connection open.
 */
import { type Fields, isFields, modelOf, newId, toCall, usageOf } from "./call.ts";
import { type Call, paced } from "./generation.ts";
import type { OpenSession, Session, SessionInit, SocketEvent } from "./sessions.ts";

export const openRealtime: OpenSession = (init) => new Realtime(init);

class Realtime implements Session {
  readonly #init: SessionInit;
  #session: Fields;
  #isAnswering = false;

  constructor(init: SessionInit) {
    this.#init = init;
    this.#session = {
      type: "realtime",
      object: "realtime.session",
      id: `sess_${newId()}`,
      model: init.model,
      output_modalities: ["text"],
      instructions: "",
    };
  }

  greeting(): SocketEvent {
    return event("session.created", { session: this.#session });
  }

  async *reply(fields: Fields | undefined, bytes: number): AsyncGenerator<SocketEvent> {
    switch (fields?.["type"]) {
      case "session.update":
        yield this.#update(fields);
        break;
      case "conversation.item.create":
        yield* created(fields);
        break;
      case "response.create":
        yield* this.#answer(fields, bytes);
        break;
      default:
        yield failure("Cannot handle the event: unknown type", fields);
    }
  }

  #update(fields: Fields): SocketEvent {
    const change = isFields(fields["session"]) ? fields["session"] : {};
    const model = modelOf(change) ?? this.#model;
    if (!this.#init.settings.models.includes(model)) return unknownModel(model, fields);
    this.#session = { ...this.#session, ...change };
    this.#init.onModel(model);
    return event("session.updated", { session: this.#session });
  }

  get #model(): string {
    return modelOf(this.#session) ?? this.#init.model;
  }

  async *#answer(fields: Fields, bytes: number): AsyncGenerator<SocketEvent> {
    if (this.#isAnswering) {
      yield failure("Cannot answer: another answer is still running", fields);
      return;
    }
    this.#isAnswering = true;
    try {
      const { settings, signal, gate } = this.#init;
      await gate.pass(signal);
      const asked = isFields(fields["response"]) ? { ...fields, ...fields["response"] } : fields;
      yield* paced(toCall({ settings, signal, fields: asked, model: this.#model, bytes }), events);
    } finally {
      this.#isAnswering = false;
    }
  }
}

function* created(fields: Fields): Generator<SocketEvent> {
  const given = isFields(fields["item"]) ? fields["item"] : {};
  const item = { id: `item_${newId()}`, object: "realtime.item", status: "completed", ...given };
  yield event("conversation.item.added", { item });
  yield event("conversation.item.done", { item });
}

async function* events(call: Call, tokens: AsyncIterable<string>): AsyncGenerator<SocketEvent> {
  const inResponse = { response_id: `resp_${call.id}`, output_index: 0 };
  const inPart = { ...inResponse, item_id: `item_${call.id}`, content_index: 0 };

  yield event("response.created", { response: response(call, "in_progress", []) });
  const item = message(call, "in_progress", []);
  yield event("response.output_item.added", { ...inResponse, item });
  yield event("response.content_part.added", { ...inPart, part: { type: "text", text: "" } });

  let text = "";
  for await (const delta of tokens) {
    text += delta;
    yield event("response.output_text.delta", { ...inPart, delta });
  }

  yield event("response.output_text.done", { ...inPart, text });
  yield event("response.content_part.done", { ...inPart, part: { type: "text", text } });
  const closed = message(call, "completed", [{ type: "output_text", text }]);
  yield event("response.output_item.done", { ...inResponse, item: closed });
  yield event("response.done", { response: response(call, "completed", [closed]) });
}

function response(call: Call, status: string, output: readonly object[]): object {
  return {
    id: `resp_${call.id}`,
    object: "realtime.response",
    status,
    status_details: null,
    output,
    output_modalities: ["text"],
    usage: status === "completed" ? usageOf(call) : null,
  };
}

function message(call: Call, status: string, content: readonly object[]): object {
  const type = { object: "realtime.item", type: "message", role: "assistant" };
  return { id: `item_${call.id}`, ...type, status, content };
}

function unknownModel(model: string, cause: Fields): SocketEvent {
  return failure(`The model \`${model}\` does not exist.`, cause, "model_not_found");
}

/** @param cause the event with the error. It is sent back unchanged */
function failure(text: string, cause: Fields | undefined, code = "invalid_value"): SocketEvent {
  const error = {
    ...{ type: "invalid_request_error", code, message: text, param: null },
    ...{ event_id: cause?.["event_id"] ?? null, event: cause ?? null },
  };
  return event("error", { error });
}

function event(type: string, fields: object): SocketEvent {
  return { type, event_id: `event_${newId()}`, ...fields };
}
