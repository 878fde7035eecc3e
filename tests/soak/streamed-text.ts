/** Checks a streamed chat completion of the stand-in server, event by event as it arrives. */

type Chunk = {
  readonly id: string;
  readonly model: string;
  readonly choices: readonly {
    readonly delta: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
};

/**
 * The expected events: an opening event without text, the server's name, ` 1`, ` 2` … up to the requested number of
 * tokens, an event that marks the end, and `[DONE]`. All belong to one answer, and there are no others.
 */
export class StreamedText {
  readonly #model: string;
  readonly #tokens: number;
  readonly #servedBy: string;
  #rest = "";
  #id: string | undefined;
  #seen = 0;
  /** The first fault, if there was one. */
  fault: string | undefined;

  constructor(asked: { readonly model: string; readonly tokens: number }, servedBy: string) {
    this.#model = asked.model;
    this.#tokens = asked.tokens;
    this.#servedBy = servedBy;
  }

  /** Whether everything has arrived. */
  get complete(): boolean {
    return this.#seen === this.#tokens + 3 && this.#rest === "" && this.fault === undefined;
  }

  take(text: string): void {
    const events = (this.#rest + text).split("\n\n");
    this.#rest = events.pop() ?? "";
    for (const event of events) {
      this.fault ??= this.#faultOf(event);
      this.#seen += 1;
    }
  }

  #faultOf(event: string): string | undefined {
    const expected = this.#expected();
    const actual = this.#read(event);
    return actual === expected ? undefined : `event ${this.#seen}: ${actual} for ${expected}`;
  }

  #expected(): string {
    const token = this.#seen - 1;
    if (token === -1) return "text ";
    if (token === 0) return `text ${this.#servedBy}`;
    if (token < this.#tokens) return `text  ${token}`;
    if (token === this.#tokens) return "stop ";
    return token === this.#tokens + 1 ? "done" : "nothing";
  }

  #read(event: string): string {
    if (event === "data: [DONE]") return "done";
    try {
      const { id, model, choices } = JSON.parse(event.replace(/^data: /, "")) as Chunk;
      this.#id ??= id;
      if (id !== this.#id || model !== this.#model) return `an event of ${id} (${model})`;
      const [choice] = choices;
      return `${choice?.finish_reason ?? "text"} ${choice?.delta.content}`;
    } catch {
      return JSON.stringify(event.slice(0, 200));
    }
  }
}
