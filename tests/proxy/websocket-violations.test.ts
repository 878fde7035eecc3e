import { VIOLATIONS } from "../support/websocket/cases/violations.ts";
import { compare } from "../support/websocket/compare.ts";

await compare("violations of the protocol", VIOLATIONS);
