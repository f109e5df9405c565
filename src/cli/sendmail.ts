/** sendmail(1): hands a message to mtad. It is durable in the queue when this exits with 0. Exit codes are those of sysexits.h. */
import { connectMta, Exit, exOk, exUnavailable, exUsage, runTool, settingsFor } from "./mta.ts";
import { dotLine, sendmailOptions, UsageFault, type SendmailOptions } from "./sendmail-options.ts";

await runTool("sendmail", async () => {
  const options = read(process.argv.slice(2));
  const settings = settingsFor(options.config);
  switch (options.mode) {
    case "mailq": {
      const { mailq } = await import("./queue-listing.ts");
      return mailq(settings, false);
    }
    case "newaliases":
      await import("./newaliases.ts");
      return exOk;
    case "smtp": {
      const { serveStdin } = await import("./stdin-smtp.ts");
      return serveStdin(settings, options);
    }
    case "flush": {
      const mta = await connectMta(settings);
      const reply = await mta.queue("flush");
      mta.close();
      if (!reply.ok) throw new Exit(exUnavailable, reply.text);
      return exOk;
    }
    case "message": {
      if (options.recipients.length === 0 && !options.fromHeader) throw new Exit(exUsage, "Recipient addresses must be specified on the command line or via the -t option");
      const octets = await message(options.ignoreDots, settings.message_size_limit);
      const mta = await connectMta(settings);
      const { sender, recipients, fromHeader, bodyType } = options;
      const fullName = options.fullName ?? process.env.NAME;
      const reply = await mta.submit({ sender, fullName, recipients, fromHeader, bodyType }, octets);
      mta.close();
      if (!reply.ok) throw new Exit(reply.exit, reply.text);
      return exOk;
    }
  }
});

function read(args: readonly string[]): SendmailOptions {
  try {
    return sendmailOptions(args);
  } catch (fault) {
    if (fault instanceof UsageFault) throw new Exit(exUsage, fault.message);
    throw fault;
  }
}

/** The message on standard input, up to its end or to a line with a single dot. Throws Exit when it is longer than `limit` octets. */
async function message(ignoreDots: boolean, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  /** The last octets of what was read, where a dot line may be coming. */
  let open = "\n";
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw new Exit(exUnavailable, "message file too big");
    if (ignoreDots) continue;
    // A terminal or an old program ends the message with a dot and keeps the pipe open.
    const tail = open + chunk.toString("latin1");
    if (/\n\.\r?\n/.test(tail)) break;
    open = tail.slice(-3);
  }
  const octets = Buffer.concat(chunks, length);
  const dot = ignoreDots ? -1 : dotLine(octets, 0, true);
  return dot < 0 ? octets : octets.subarray(0, dot);
}
