/** Splits a PromQL query into tokens. It knows only the syntax that our queries use, and refuses the rest. */

export type Token = {
  readonly kind: "name" | "text" | "number" | "range" | "sign" | "end";
  /** A quoted text has no quotes here. */
  readonly value: string;
};

/** A `$variable` of Grafana is part of a quoted text, or is a whole range. */
const TOKEN =
  /(?<blank>\s+)|"(?<text>[^"\\]*)"|(?<range>\[(?:\$\w+|\d+(?:ms|[smhdw]))\])|(?<number>\d+(?:\.\d+)?)(?![\w.])|(?<name>[a-zA-Z_:][\w:]*)|(?<sign>==|!=|=~|!~|>=|<=|[-+*/(){},=<>])/y;

/** @throws {Error} that says where the unknown syntax begins */
export function tokenize(query: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let index = 0; index < query.length; index = TOKEN.lastIndex) {
    const groups = TOKEN.exec(query)?.groups;
    if (groups === undefined)
      throw new Error(`Cannot read the query from here on: ${query.slice(index)}`);
    for (const kind of ["text", "range", "number", "name", "sign"] as const) {
      const value = groups[kind];
      if (value !== undefined) tokens.push({ kind, value });
    }
  }
  return [...tokens, { kind: "end", value: "the end" }];
}
