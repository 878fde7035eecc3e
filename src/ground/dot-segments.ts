/** Dot segments in a path, however they are hidden. Pure. */

/** Whether some server, decoding the path once or twice, would see a `..` segment in it. */
export function climbs(path: string): boolean {
  if (!path.includes("..") && !path.includes("%")) return false; // all but a few: splitting costs
  return hasSegment(path, "..");
}

/** The same for a `.` or a `..` segment. */
export function hasDotSegment(path: string): boolean {
  return hasSegment(path, ".", "..");
}

function hasSegment(path: string, ...wanted: readonly string[]): boolean {
  let decoded = path;
  for (let round = 0; round < 2; round += 1) {
    decoded = decoded.replace(/%([\da-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return decoded.split(/[/\\]/).some((segment) => wanted.includes(withoutParameters(segment)));
}

/** Java servers cut `;name=value` off a segment before they look at it: `..;` is `..` to them. */
function withoutParameters(segment: string): string {
  return segment.split(";", 1)[0] ?? "";
}
