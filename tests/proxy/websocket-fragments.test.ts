import { FRAGMENTS } from "../support/websocket/cases/fragments.ts";
import { compare } from "../support/websocket/compare.ts";

await compare("fragments", FRAGMENTS);
