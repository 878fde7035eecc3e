/**
 * OpenAI's Responses API over a WebSocket: each `response.create` gets the events that its stream over HTTP would have, and
 * an error comes as an event. One answer after the other, as OpenAI has it.
 */
import { type Fields, modelOf, toCall } from "./call.ts";
import { paced } from "./generation.ts";
import { responseEvents } from "./responses.ts";
import type { OpenSession, Session, SessionInit, SocketEvent } from "./sessions.ts";

export const openResponses: OpenSession = (init) => new Responses(init);

class Responses implements Session {
  readonly #init: SessionInit;
  /** Settled when the last answer that was asked for has ended. */
  #last: Promise<void> = Promise.resolve();

  constructor(init: SessionInit) {
    this.#init = init;
  }

  greeting(): undefined {
    return undefined;
  }

  async *reply(fields: Fields | undefined, bytes: number): AsyncGenerator<SocketEvent> {
    const before = this.#last;
    const ended = Promise.withResolvers<void>();
    this.#last = ended.promise;
    try {
      await before;
      yield* this.#answer(fields, bytes);
    } finally {
      ended.resolve();
    }
  }

  async *#answer(fields: Fields | undefined, bytes: number): AsyncGenerator<SocketEvent> {
    if (fields?.["type"] !== "response.create") {
      yield failure(400, "invalid_value", "Cannot take the event: only response.create is known");
      return;
    }
    const { settings, signal, gate } = this.#init;
    const model = modelOf(fields) ?? this.#init.model;
    this.#init.onModel(model);
    await gate.pass(signal);
    if (!settings.models.includes(model)) {
      yield failure(404, "model_not_found", `The model \`${model}\` does not exist.`);
      return;
    }
    yield* paced(toCall({ settings, signal, fields, model, bytes }), responseEvents);
  }
}

/** As OpenAI's: Codex overlooks an event whose `code` is a number, as vLLM's are, and waits. */
function failure(status: number, code: string, message: string): SocketEvent {
  const error = { type: "invalid_request_error", code, message, param: null };
  return { type: "error", status, error };
}
