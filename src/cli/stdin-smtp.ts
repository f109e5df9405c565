/**
 * `sendmail -bs`: SMTP on standard input and output, for programs that speak it to a pipe. The caller is known, so every recipient
 * is taken here and judged in the queue, as with the other ways of sendmail(1). RFC 5321.
 */
import type { Settings } from "../config/table.ts";
import { commandLimit, complete, parseCommand, type Command } from "../smtp/command.ts";
import { DataReader } from "../smtp/data.ts";
import { LineReader } from "../smtp/lines.ts";
import { ok, plainReply, printReply, refusal, type Reply } from "../smtp/reply.ts";
import { connectMta, Exit, exOk, exTempFail } from "./mta.ts";
import type { SendmailOptions } from "./sendmail-options.ts";

interface Transaction {
  readonly sender: string;
  readonly bodyType: "7BIT" | "8BITMIME" | undefined;
  readonly recipients: Set<string>;
}

/** Serves until QUIT or the end of input. Returns the exit code. */
export async function serveStdin(settings: Settings, options: SendmailOptions): Promise<number> {
  const lines = new LineReader();
  let transaction: Transaction | undefined;
  let data: { readonly reader: DataReader; readonly chunks: Buffer[] } | undefined;
  const say = (reply: Reply): boolean => process.stdout.write(printReply(reply));

  const answer = (command: Command): Reply | "data" | "quit" => {
    switch (command.verb) {
      case "HELO":
      case "EHLO":
        transaction = undefined;
        return command.verb === "HELO" ? plainReply("250", settings.myhostname) : plainReply("250", settings.myhostname, "PIPELINING", `SIZE ${settings.message_size_limit}`, "ENHANCEDSTATUSCODES", "8BITMIME");
      case "MAIL":
        if (transaction !== undefined) return refusal({ code: "503", status: "5.5.1", text: "Error: nested MAIL command" });
        if ((command.size ?? 0) > settings.message_size_limit) return refusal({ code: "552", status: "5.3.4", text: "Message size exceeds fixed limit" });
        transaction = { sender: options.sender ?? (command.sender === undefined ? "" : complete(command.sender, settings.myorigin)), bodyType: command.body, recipients: new Set() };
        return ok("2.1.0", "Ok");
      case "RCPT":
        if (transaction === undefined) return refusal({ code: "503", status: "5.5.1", text: "Error: need MAIL command" });
        if (transaction.recipients.size >= settings.smtpd_recipient_limit) return refusal({ code: "452", status: "4.5.3", text: "Error: too many recipients" });
        transaction.recipients.add(complete(command.recipient, settings.myorigin));
        return ok("2.1.5", "Ok");
      case "DATA":
        if (transaction === undefined || transaction.recipients.size === 0) return refusal({ code: "503", status: "5.5.1", text: "Error: need RCPT command" });
        return "data";
      case "RSET":
        transaction = undefined;
        return ok("2.0.0", "Ok");
      case "NOOP":
        return ok("2.0.0", "Ok");
      case "QUIT":
        return "quit";
      case "VRFY":
        return ok("2.0.0", complete(command.recipient, settings.myorigin), "252");
      case "BAD":
        return refusal(command.refusal);
      default:
        return refusal({ code: "502", status: "5.5.1", text: "Error: command not implemented" });
    }
  };

  const submit = async (t: Transaction, reader: DataReader, chunks: readonly Buffer[]): Promise<Reply> => {
    if (reader.fault === "too large") return refusal({ code: "552", status: "5.3.4", text: "Error: message file too big" });
    try {
      const mta = await connectMta(settings);
      const { sender, bodyType } = t;
      const reply = await mta.submit({ sender, fullName: options.fullName, recipients: [...t.recipients], fromHeader: false, bodyType }, Buffer.concat(chunks));
      mta.close();
      if (reply.ok) return ok("2.0.0", `Ok: queued as ${reply.queueId}`);
      return reply.exit === exTempFail ? refusal({ code: "451", status: "4.3.0", text: reply.text }) : refusal({ code: "554", status: "5.3.0", text: reply.text });
    } catch (fault) {
      if (!(fault instanceof Exit)) throw fault;
      return refusal({ code: "451", status: "4.3.0", text: fault.message });
    }
  };

  say(plainReply("220", `${settings.myhostname} ESMTP Posthorn`));
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    lines.push(chunk);
    for (;;) {
      if (data !== undefined && transaction !== undefined) {
        const input = lines.takeAll();
        if (input === undefined) break;
        const { octets, rest } = data.reader.push(input);
        if (octets.length > 0) data.chunks.push(octets);
        if (rest === undefined) break;
        if (rest.length > 0) lines.push(rest);
        say(await submit(transaction, data.reader, data.chunks));
        data = undefined;
        transaction = undefined;
        continue;
      }
      const line = lines.next(commandLimit);
      if (line === undefined) break;
      if (line === "too long") {
        say(refusal({ code: "500", status: "5.5.2", text: "Error: line too long" }));
        continue;
      }
      const reply = answer(parseCommand(line));
      if (reply === "quit") {
        say(ok("2.0.0", "Bye", "221"));
        return exOk;
      }
      if (reply === "data") {
        data = { reader: new DataReader(settings.message_size_limit, "normalize"), chunks: [] };
        say(plainReply("354", "End data with <CR><LF>.<CR><LF>"));
      } else say(reply);
    }
  }
  return exOk;
}
