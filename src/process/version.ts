/** The version of this program. `.ci/build.ts` puts it into a binary; run from sources, package.json has it. */
import { version } from "../../package.json" with { type: "json" };

declare const BUILD_VERSION: string;
declare const BUILD_COMMIT: string;

/** Semantic version without a `v`: `1.2.3`. */
export const VERSION: string = typeof BUILD_VERSION === "undefined" ? version : BUILD_VERSION;

/** Abbreviated git commit, with `-dirty` after it if files were changed; `unknown` when run from sources. */
export const COMMIT: string = typeof BUILD_COMMIT === "undefined" ? "unknown" : BUILD_COMMIT;
