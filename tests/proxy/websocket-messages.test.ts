import { MESSAGES } from "../support/websocket/cases/messages.ts";
import { compare } from "../support/websocket/compare.ts";

await compare("messages", MESSAGES);
