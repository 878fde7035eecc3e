/**
 * Under which tags a version is published: 1.2.3 as itself, as the newest 1.2, and as the latest; one
 * with a suffix (1.2.3-rc.1) as itself alone.
 */
export function imageTags(version: string): readonly string[] {
  if (version.includes("-")) return [version];
  return [version, version.split(".").slice(0, 2).join("."), "latest"];
}
