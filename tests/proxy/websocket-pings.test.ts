import { PINGS } from "../support/websocket/cases/pings.ts";
import { compare } from "../support/websocket/compare.ts";

await compare("pings", PINGS);
