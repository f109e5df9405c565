/** The queue as mailq(1) and `postqueue -j` show it. */
import type { Settings } from "../config/table.ts";
import type { QueueEntry } from "../daemon/protocol.ts";
import { connectMta, Exit, exOk, exUnavailable } from "./mta.ts";

/** Asks mtad and prints. Returns the exit code; throws Exit. */
export async function mailq(settings: Settings, json: boolean): Promise<number> {
  const mta = await connectMta(settings);
  const reply = await mta.queue("list");
  mta.close();
  if (!reply.ok) throw new Exit(exUnavailable, reply.text);
  process.stdout.write(json ? reply.entries.map(entryJson).join("") : listing(reply.entries));
  return exOk;
}

/** Room for a queue id and its mark in the older, narrow columns. */
const narrow = 11;

/** The table of mailq(1), in the columns of Postfix: "*" marks active, "!" held messages. */
export function listing(entries: readonly QueueEntry[]): string {
  if (entries.length === 0) return "Mail queue is empty\n";
  const wide = entries.some((e) => e.queueId.length + mark(e).length > narrow);
  const row = wide
    ? (id: string, size: string, time: string, who: string): string => `${id.padEnd(17)} ${size.padStart(8)} ${time.slice(0, 19).padEnd(19)} ${who}\n`
    : (id: string, size: string, time: string, who: string): string => `${id.padEnd(11)} ${size.padStart(7)} ${time.slice(0, 20).padEnd(20)} ${who}\n`;
  const head = wide ? "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n" : "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
  let octets = 0;
  const text = entries.map((e) => {
    octets += e.octets;
    const first = row(e.queueId + mark(e), String(e.octets), asctime(e.arrived), visible(e.sender === "" ? "MAILER-DAEMON" : e.sender));
    let reason = "";
    const recipients = e.recipients.map((r) => {
      // Recipients that wait for the same reason stand below it together.
      const why = r.reason !== "" && r.reason !== reason ? `${" ".repeat(Math.max(0, 76 - r.reason.length))}(${visible(r.reason)})\n` : "";
      reason = r.reason;
      return why + row("", "", "", visible(r.address));
    });
    return `${first}${recipients.join("")}\n`;
  });
  return `${head}${text.join("")}-- ${Math.floor(octets / 1024)} Kbytes in ${entries.length} Request${entries.length === 1 ? "" : "s"}.\n`;
}

const mark = (e: QueueEntry): string => (e.queue === "active" ? "*" : e.queue === "hold" ? "!" : "");

/** "Sat Nov 21 05:42:07 ", local time. */
const asctime = (time: number): string => {
  const [day = "", month = "", date = "", , clock = ""] = new Date(time).toString().split(" ");
  return `${day} ${month} ${date.replace(/^0/, " ")} ${clock} `;
};

/** Addresses and reasons come from outside; a terminal must not be told anything by them. */
const visible = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");

/** One line of `postqueue -j`. */
export function entryJson(e: QueueEntry): string {
  const recipients = e.recipients.map((r) => (r.reason === "" ? { address: r.address } : { address: r.address, delay_reason: r.reason }));
  return `${JSON.stringify({ queue_name: e.queue, queue_id: e.queueId, arrival_time: Math.floor(e.arrived / 1000), message_size: e.octets, forced_expire: false, sender: e.sender, recipients })}\n`;
}
