/** The name of the executable that this process runs. The version is in version.ts. */

/** The file's name without its directory: `lw-inference-proxy`, or `bun` when run from sources. */
export const PROGRAM = process.execPath.slice(process.execPath.lastIndexOf("/") + 1);
