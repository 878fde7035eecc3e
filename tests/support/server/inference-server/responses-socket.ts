/**
 * OpenAI's Responses API over a WebSocket: each `response.create` gets the same events as its HTTP stream,
 * and an error is an event too. It gives one answer after the other, as OpenAI's server does.
 */
import { type Fields, modelOf, toCall } from "./call.ts";
import { paced } from "./generation.ts";
import { responseEvents } from "./responses.ts";
import type { OpenSession, Session, SessionInit, SocketEvent } from "./sessions.ts";

export const openResponses: OpenSession = (init) => new Responses(init);

class Responses implements Session {
  readonly #init: SessionInit;
  /** Settled when the last requested answer has ended. */
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
      yield failure(
        400,
        "invalid_value",
        "Cannot handle the event: only response.create is supported",
      );
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

/**
 * `code` is a text, as in OpenAI's errors. Codex ignores an event with a number as `code` (as in vLLM), and
 * waits.
 */
function failure(status: number, code: string, message: string): SocketEvent {
  const error = { type: "invalid_request_error", code, message, param: null };
  return { type: "error", status, error };
}
