/** Reads the output of a program, line by line. */

/** Resolves at the end of the output. */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const utf8 = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = `${rest}${utf8.decode(bytes, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
}
