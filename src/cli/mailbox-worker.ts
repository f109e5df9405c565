/** What `posthorn mailbox` of root runs as the user: settings, command and user as JSON on standard input, replies as lines on standard output. */
import { readFileSync } from "node:fs";
import type { Settings } from "../config/table.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { writeFully } from "../store/durable.ts";
import { type MailboxCommand, workFor } from "./mailbox.ts";

await workFor(JSON.parse(readFileSync(0, "utf8")) as { settings: Settings; command: MailboxCommand; user: MailUser }, (reply) => writeFully(1, Buffer.from(`${JSON.stringify(reply)}\n`)));
