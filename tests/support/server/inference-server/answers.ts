/** The inference API: which route gives which answer. Only decides; handler.ts turns an answer into bytes. */
import { setTimeout as sleep } from "node:timers/promises";
import { anthropicError, MESSAGES, tokenCount } from "./anthropic.ts";
import { type Fields, modelOf, parseFields, toCall } from "./call.ts";
import type { Gate } from "./control.ts";
import { type Call, type Dialect, paced, wholeAnswer } from "./generation.ts";
import type { JournalEntry } from "./journal.ts";
import { CHAT, COMPLETION, embeddings, modelList, openAiError } from "./openai.ts";
import { RESPONSES } from "./responses.ts";
import type { Settings } from "./settings.ts";

export type Answer =
  | { readonly kind: "json"; readonly status: number; readonly value: unknown }
  | { readonly kind: "bytes"; readonly bytes: ArrayBuffer }
  | { readonly kind: "events"; readonly events: AsyncGenerator<string> };

export type Exchange = {
  readonly settings: Settings;
  readonly request: Request;
  /** The path below the base path. */
  readonly path: string;
  readonly entry: JournalEntry;
  /** Requests for text wait at this gate after their body was read. */
  readonly gate: Gate;
};

/** Makes the answer of a route. The server has the request's model. */
type Produce = (call: Call, fields: Fields) => Answer | Promise<Answer>;

const PRODUCE_BY_PATH: Readonly<Record<string, Produce>> = {
  "/chat/completions": inDialect(CHAT),
  "/completions": inDialect(COMPLETION),
  "/responses": inDialect(RESPONSES),
  "/messages": inDialect(MESSAGES),
  "/messages/count_tokens": (call) => json(200, tokenCount(call)),
  "/embeddings": (call) => json(200, embeddings(call)),
};

export async function answer(exchange: Exchange): Promise<Answer> {
  const { request, path } = exchange;
  if (request.method === "GET" && path === "/models") return await models(exchange);
  if (request.method === "POST" && path === "/echo") return await echo(exchange);
  const produce = request.method === "POST" ? PRODUCE_BY_PATH[path] : undefined;
  if (produce === undefined) return json(404, { detail: "Not Found" }); // FastAPI's words
  return await generation(exchange, produce);
}

async function models({ settings, request }: Exchange): Promise<Answer> {
  await sleep(settings.modelsDelayMs, undefined, { signal: request.signal });
  const status = settings.modelsStatus;
  if (status === 200) return json(200, modelList(settings.models));
  return json(status, openAiError(status, "ServerError", `Answering ${status} as told`));
}

/** Reads the whole body before it answers: an early echo would hide that a proxy holds the body back. */
async function echo({ request, entry }: Exchange): Promise<Answer> {
  const bytes = await request.arrayBuffer();
  entry.model = modelOf(parseFields(bytes));
  return { kind: "bytes", bytes };
}

async function generation(exchange: Exchange, produce: Produce): Promise<Answer> {
  const { settings, request, entry } = exchange;
  const bytes = await request.arrayBuffer();
  const fields = parseFields(bytes);
  if (fields === undefined) return failure(exchange, 400, "BadRequestError", "Cannot parse JSON");
  entry.model = modelOf(fields);
  await exchange.gate.pass(request.signal);

  // As in vLLM: a request without a model is for the first model.
  const model = entry.model ?? settings.models[0] ?? "";
  if (!settings.models.includes(model)) {
    return failure(exchange, 404, "NotFoundError", `The model \`${model}\` does not exist.`);
  }
  const call = { settings, signal: request.signal, fields, model, bytes: bytes.byteLength };
  return await produce(toCall(call), fields);
}

function inDialect(dialect: Dialect): Produce {
  return async (call, fields) =>
    fields["stream"] === true
      ? { kind: "events", events: paced(call, dialect.events) }
      : json(200, await wholeAnswer(dialect, call));
}

function failure({ path }: Exchange, status: number, type: string, message: string): Answer {
  if (path.startsWith("/messages")) return json(status, anthropicError(type, message));
  return json(status, openAiError(status, type, message, status === 404 ? "model" : undefined));
}

function json(status: number, value: unknown): Answer {
  return { kind: "json", status, value };
}
