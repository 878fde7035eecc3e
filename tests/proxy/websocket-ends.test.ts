import { ENDS } from "../support/websocket/cases/ends.ts";
import { compare } from "../support/websocket/compare.ts";

await compare("ends", ENDS);
