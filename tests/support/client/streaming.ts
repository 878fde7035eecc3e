/** Clients that stream one answer after the other. They report the outcome of each, and retry nothing. */
import OpenAI, { APIError } from "openai";
import { outcomeOfStream } from "./load.ts";

/** Sends one request, and resolves with its outcome; see `Load`. */
type Client = (origin: string, model: string) => Promise<string>;

/** One second from the first token to the last. */
const PACE = { tokens: 21, token_delay_ms: 50 };

export const STREAMING: Readonly<Record<"fetch" | "OpenAI's client", Client>> = {
  fetch: (origin, model) => outcomeOfStream(origin, model, PACE),
  "OpenAI's client": async (origin, model) => {
    const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "none", maxRetries: 0 });
    try {
      const messages = [{ role: "user" as const, content: "hello" }];
      const request = { model, messages, stream: true as const, ...PACE };
      const texts: string[] = [];
      for await (const { choices } of await client.chat.completions.create(request)) {
        texts.push(choices[0]?.delta.content ?? "");
        if (choices[0]?.finish_reason === "stop") return `200 by ${texts[1]}`;
      }
      return `ended early after ${texts.join("").length} characters`;
    } catch (error) {
      return error instanceof APIError ? `${error.status} ${error.message}` : String(error);
    }
  },
};
