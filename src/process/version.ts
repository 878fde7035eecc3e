/** The version of this program. `.ci/build.ts` writes it into a binary; sources take it from package.json. */
import { version } from "../../package.json" with { type: "json" };

declare const BUILD_VERSION: string;
declare const BUILD_COMMIT: string;

/** Semantic version without a `v`: `1.2.3`. */
export const VERSION: string = typeof BUILD_VERSION === "undefined" ? version : BUILD_VERSION;

/** Abbreviated git commit, with `-dirty` if there were uncommitted changes; `unknown` when run from sources. */
export const COMMIT: string = typeof BUILD_COMMIT === "undefined" ? "unknown" : BUILD_COMMIT;
