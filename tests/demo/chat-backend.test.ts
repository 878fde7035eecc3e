/** The chat server of the demo. demo.e2e.ts tests the demo itself. */
import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { within } from "../support/until.ts";

const BACKEND = fileURLToPath(import.meta.resolve("./chat-backend.ts"));

/** Runs one request, then ends the server. */
async function answerTo(body: string): Promise<readonly unknown[]> {
  const child = Bun.spawn([process.execPath, BACKEND], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const { value } = await within("its port", child.stdout.getReader().read());
    const url = `http://127.0.0.1:${Buffer.from(value ?? [])
      .toString()
      .trim()}/v1/chat/completions`;
    const answer = await fetch(url, { method: "POST", body, keepalive: false, proxy: false });
    const json: unknown = await answer.json();
    child.kill("SIGTERM");
    return [answer.status, json, await child.stderr.text()];
  } finally {
    child.kill("SIGKILL");
  }
}

test.each(['{"model":"claude-local"', "null", ""])(
  "answers the body %j with 400 in JSON, and prints nothing",
  async (body) => {
    expect(await answerTo(body)).toEqual([400, { error: { message: "invalid JSON" } }, ""]);
  },
);

test("answers a chat request", async () => {
  const [status, json] = await answerTo('{"model":"demo"}');
  expect([status, json]).toMatchObject([200, { choices: [{ message: { content: "Hello." } }] }]);
});
