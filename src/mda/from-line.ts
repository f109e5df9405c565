/** The line that starts a message in an mbox. */

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** asctime(3) in local time: "Sat Nov 21 05:41:33 2026". */
export function asctime(ms: number): string {
  const t = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = String(t.getDate()).padStart(2, " ");
  return `${days[t.getDay()] ?? ""} ${months[t.getMonth()] ?? ""} ${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())} ${String(t.getFullYear())}`;
}

/** The line that starts a message in an mbox and for a command, with its LF. Blanks in the sender would break readers; -f of procmail(1) asks for them. */
export function fromLine(sender: string, arrived: number, blanks: "-" | " " = "-"): string {
  return `From ${sender === "" && blanks === "-" ? "MAILER-DAEMON" : sender.replace(/[\t-\r ]/g, blanks)}  ${asctime(arrived)}\n`;
}

/** The sender that such a line names: "" for the null sender; undefined when it is no such line. */
export function senderIn(line: string): string | undefined {
  const sender = /^From (\S+)/.exec(line)?.[1];
  return sender === "MAILER-DAEMON" ? "" : sender;
}
