/** Builds the index of messages that anybody can make again, a bit at a time, and kills itself in the middle of it. */
import { letter, put, SidedStore, startIndexed } from "./support.ts";

export const messageCount = 1200;
export const textOf = (n: number): string => `the text of message <${n}> ${((n * 2654435761) >>> 0).toString(36)}`;

export function fill(store: SidedStore, from: number, to: number): void {
  store.mailbox("INBOX").add(Array.from({ length: to - from }, (_, n) => put(letter(`s${from + n}`, `${textOf(from + n)}\r\n${"word ".repeat(100)}`))));
}

if (import.meta.main) {
  const [side = "", bits = "0", turns = "0"] = process.argv.slice(2);
  const store = new SidedStore(side);
  const indexed = startIndexed({}, store);
  for (let at = 0; at < messageCount; at += 100) {
    fill(store, at, at + 100);
    const built = indexed.fulltext.build("INBOX");
    if (at === 100 * Number(bits)) {
      for (let turn = 0; turn < Number(turns); turn++) await new Promise((resolve) => setImmediate(resolve));
      process.kill(process.pid, "SIGKILL");
    }
    await built;
  }
}
