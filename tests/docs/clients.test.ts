/** The settings in docs/clients.md are right: SDKs that are set up as the page says get their answers through the proxy. */
import { expect, test } from "bun:test";
import { codeBlocks, ROOT, readText } from "../support/docs.ts";
import { startProxy } from "../support/proxy/in-process.ts";
import { shownVariables } from "../support/real-clients/shown.ts";
import { makeBackend } from "../support/server/backends.ts";
import { createHandler } from "../support/server/inference-server/handler.ts";
import { readSettings } from "../support/server/inference-server/settings.ts";

const MODEL = "my-model";

const CHAT = `
  import OpenAI from "openai";
  const messages = [{ role: "user", content: "hello" }];
  const answer = await new OpenAI().chat.completions.create({ model: "${MODEL}", messages });
  console.log(answer.choices[0].message.content);`;

const MESSAGE = `
  import Anthropic from "@anthropic-ai/sdk";
  const messages = [{ role: "user", content: "hello" }];
  const answer = await new Anthropic().messages.create({ model: "${MODEL}", max_tokens: 9, messages });
  console.log(answer.content[0].text);`;

const VERCEL = `
  import { generateText } from "ai";
  ${codeBlocks(readText("docs/clients.md"), "ts")[0]}
  const { text } = await generateText({ model: local("${MODEL}"), prompt: "hello" });
  console.log(text);`;

test.each<[client: string, variable: string | undefined, program: string]>([
  ["OpenAI's SDK", "OPENAI_BASE_URL", CHAT],
  ["Anthropic's SDK", "ANTHROPIC_API_KEY", MESSAGE],
  ["Vercel's AI SDK", undefined, VERCEL],
])("%s, set up as docs/clients.md says, gets its answer", async (_client, variable, program) => {
  const seen: string[] = [];
  const answer = createHandler(readSettings({ MODELS: MODEL, NAME: "stand-in" }));
  using server = Bun.serve({
    port: 0,
    fetch: (request) => {
      const { headers } = request;
      seen.push(headers.get("authorization") ?? headers.get("x-api-key") ?? "no key");
      return answer(request);
    },
  });
  const backend = makeBackend({
    origin: `http://127.0.0.1:${server.port}`,
    models: [{ id: MODEL }],
  });
  using proxy = startProxy({ backends: [backend] });
  const shown = variable === undefined ? {} : shownVariables(variable, proxy.origin);
  const child = Bun.spawn(
    [process.execPath, "-e", program.replaceAll("http://localhost", proxy.origin)],
    {
      cwd: ROOT,
      env: { PATH: process.env["PATH"] ?? "", ...shown },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  expect(await child.stdout.text()).toContain("stand-in");
  expect(seen).toEqual([expect.stringMatching(/^(?:Bearer )?any$/)]);
});
