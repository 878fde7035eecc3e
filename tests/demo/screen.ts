/** What the demo prints: each request as a command to try, then its answer. Plain text when piped. */

export type Screen = {
  readonly title: (text: string) => void;
  readonly note: (text: string) => void;
  /** Prints a line of the proxy's log, which is JSON. */
  readonly log: (line: string) => void;
  readonly step: (text: string) => Promise<void>;
  readonly get: (url: string) => Promise<void>;
  readonly post: (url: string, body: object) => Promise<void>;
  /** Writes the words of a streamed chat completion as they arrive. */
  readonly stream: (url: string, body: object) => Promise<void>;
};

const STEP_PAUSE_MS = 150;

export function createScreen(): Screen {
  const colors = process.stdout.isTTY === true && !process.env["NO_COLOR"];
  const paint = (code: number, text: string): string =>
    colors ? `\x1b[${code}m${text}\x1b[0m` : text;
  const bold = (text: string): string => paint(1, text);
  const dim = (text: string): string => paint(2, text);
  const write = (text: string): void => void process.stdout.write(text);
  let steps = 0;
  /** Log lines that arrived during an answer. They are printed after the answer's line. */
  let waiting: string[] | undefined;

  const command = (url: string, body?: object): void => {
    const data = body === undefined ? "" : ` -d '${JSON.stringify(body)}'`;
    write(`${paint(36, `$ curl -sN ${url}${data}`)}\n`);
  };
  const showAnswer = async (response: Response): Promise<void> => {
    const status = paint(response.ok ? 32 : 33, String(response.status));
    write(`${status} ${await response.text()}\n`);
  };

  return {
    title: (text) => write(`\n${bold(text)}\n\n`),
    note: (text) => write(`${text}\n`),
    log: (line) => {
      const shown = `${dim(`  proxy: ${readable(line)}`)}\n`;
      if (waiting === undefined) write(shown);
      else waiting.push(shown);
    },
    step: async (text) => {
      await Bun.sleep(STEP_PAUSE_MS); // so that the reader can follow, and the log is printed first
      steps += 1;
      write(`\n${bold(`${steps}. ${text}`)}\n`);
    },
    get: async (url) => {
      command(url);
      await showAnswer(await fetch(url, { proxy: false }));
    },
    post: async (url, body) => {
      command(url, body);
      await showAnswer(await send(url, body));
    },
    stream: async (url, body) => {
      command(url, body);
      const response = await send(url, body);
      write(`${paint(32, String(response.status))} `);
      waiting = [];
      for await (const word of words(response)) write(word);
      write(`\n${waiting.join("")}`);
      waiting = undefined;
    },
  };
}

function send(url: string, body: object): Promise<Response> {
  return fetch(url, { method: "POST", body: JSON.stringify(body), proxy: false });
}

/** The content of each `chat.completion.chunk` event. An event may arrive in pieces. */
async function* words(response: Response): AsyncGenerator<string> {
  const utf8 = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    const events = (rest + utf8.decode(bytes, { stream: true })).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      if (event === "data: [DONE]") return;
      const chunk = JSON.parse(event.slice("data: ".length)) as {
        readonly choices: readonly { readonly delta: { readonly content?: string } }[];
      };
      yield chunk.choices[0]?.delta.content ?? "";
    }
  }
}

function readable(line: string): string {
  const {
    time: _time,
    level: _level,
    message,
    ...rest
  } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
  return [message, ...fields].join("  ");
}
