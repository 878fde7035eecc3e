/** Finds dot segments (`.`, `..`) in a path, even hidden ones. Changes no path. Pure. */

/** Whether a server that decodes the path once or twice sees a `..` segment in it. */
export function climbs(path: string): boolean {
  if (!path.includes("..") && !path.includes("%")) return false; // most paths end here, without the cost of splitting
  return hasSegment(path, "..");
}

/** Whether a server that decodes the path once or twice sees a `.` or a `..` segment in it. */
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

/** Java servers cut `;name=value` off a segment before they read it, so they read `..;` as `..`. */
function withoutParameters(segment: string): string {
  return segment.split(";", 1)[0] ?? "";
}
