/** Finds dot segments (`.`, `..`) in a path, also where somebody has hidden them. Changes no path. Pure. */

/** Whether a server that decodes the path once or twice sees a `..` segment in it. */
export function climbs(path: string): boolean {
  if (!path.includes("..") && !path.includes("%")) return false; // most paths: spares them the splitting
  return hasSegment(path, "..");
}

/** Whether such a server sees a `.` or a `..` segment in it. */
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

/** Java servers cut `;name=value` off a segment before they read it, so `..;` is `..` to them. */
function withoutParameters(segment: string): string {
  return segment.split(";", 1)[0] ?? "";
}
