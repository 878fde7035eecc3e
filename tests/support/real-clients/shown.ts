/** Reads the clients' settings from docs/clients.md, and puts in the proxy and the model of a test. */
import { codeBlocks, readText } from "../docs.ts";

const DOCS = "docs/clients.md";
const ORIGIN = "http://localhost";
const MODEL = "my-model";

/**
 * The variables that a block of `export` lines sets.
 *
 * @param named chooses the first block that sets this variable
 */
export function shownVariables(
  named: string,
  origin: string,
  model = MODEL,
): Readonly<Record<string, string>> {
  for (const block of codeBlocks(readText(DOCS), "sh")) {
    const lines = [...block.matchAll(/^export (\w+)=(.*)$/gm)];
    const set = lines.map(([, name = "", value = ""]) => [name, filled(value, origin, model)]);
    const variables = Object.fromEntries(set) as Record<string, string>;
    if (named in variables) return variables;
  }
  throw new Error(`${DOCS} does not set ${named}`);
}

/** Codex's file `config.toml`. Lines after its end belong to the provider. */
export function shownCodexConfig(origin: string, model: string): string {
  const [block] = codeBlocks(readText(DOCS), "toml");
  if (block === undefined) throw new Error(`${DOCS} shows no config.toml`);
  return filled(block, origin, model);
}

function filled(text: string, origin: string, model: string): string {
  return text.replaceAll(ORIGIN, origin).replaceAll(MODEL, model);
}
