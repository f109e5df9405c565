/**
 * Plays the dialogues of this directory against pop3d and a session, three times each: as written, one octet at a time, and
 * pipelined.
 *
 *   given: two-messages      what the mailbox holds (see `mailboxes`)
 *   set: name=value          a setting
 *   C: / S:                  sent with CRLF, expected; "..." is a free tail, $x binds and must then match
 *   2C: / 2S:                a second connection
 *   closed                   the server ends the connection
 *   then: holds 1 3          UIDs in the mailbox at the end
 *   then: seen 1             UIDs with \Seen at the end
 *   log: ...                 a line pop3d must have logged, "..." anywhere
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MemoryMailbox } from "../../unit/pop3/memory-mailbox.ts";
import { Client, startPlace } from "../../unit/pop3/place.ts";

const first = "From: a@example.org\nSubject: one\n\nfirst\n";
const second = "From: b@example.org\nSubject: two\n\n.\n..two\n.three\nlast line\n";
const mailboxes: Readonly<Record<string, readonly string[]>> = {
  empty: [],
  "two-messages": [first, second],
  odd: ["Subject: no end of line\n\nno end of line", "Subject: header only\n", "\nbody only\n", "Subject: dots\n\n.\n"],
};

type Mode = "as written" | "octet by octet" | "pipelined";
type Line = { readonly n: number; readonly of: 1 | 2; readonly text: string } & { readonly kind: "C" | "S" | "closed" };

interface Script {
  given: readonly string[];
  readonly set: Record<string, string>;
  readonly lines: Line[];
  readonly then: { what: string; uids: number[] }[];
  readonly log: string[];
}

function parse(text: string): Script {
  const script: Script = { given: [], set: {}, lines: [], then: [], log: [] };
  text.split("\n").forEach((raw, i) => {
    const n = i + 1;
    const m = /^(?:(given|set|then|log): (.*)|(2?)([CS]): ?(.*)|(2?)(closed))$/.exec(raw);
    if (m === null) {
      if (raw !== "" && !raw.startsWith("#")) throw new Error(`line ${n}: ${raw}`);
      return;
    }
    const [, word, value = "", second, side, said = "", closedOn, closed] = m;
    if (word === "given") script.given = mailboxes[value] ?? assert.fail(`no mailbox ${value}`);
    else if (word === "set") {
      const [name = "", ...rest] = value.split("=");
      script.set[name.trim()] = rest.join("=").trim();
    } else if (word === "then") {
      const [what = "", ...uids] = value.split(" ");
      script.then.push({ what, uids: uids.map(Number) });
    } else if (word === "log") script.log.push(value);
    else if (closed !== undefined) script.lines.push({ n, of: closedOn === "2" ? 2 : 1, kind: "closed", text: "" });
    else script.lines.push({ n, of: second === "2" ? 2 : 1, kind: side === "C" ? "C" : "S", text: said });
  });
  return script;
}

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Compares, binding $names. */
function matches(pattern: string, line: string, bound: Map<string, string>): boolean {
  const free = pattern.endsWith("...");
  const names: string[] = [];
  const source = (free ? pattern.slice(0, -3).trimEnd() : pattern)
    .split(/(\$[a-z]+)/)
    .map((piece) => {
      if (!/^\$[a-z]+$/.test(piece)) return literal(piece);
      const value = bound.get(piece);
      if (value !== undefined) return literal(value);
      names.push(piece);
      return "(\\S+)";
    })
    .join("");
  const m = new RegExp(`^${source}${free ? "(?:.*)" : ""}$`, "s").exec(line);
  names.forEach((name, i) => bound.set(name, m?.[i + 1] ?? ""));
  return m !== null;
}

async function play(script: Script, mode: Mode): Promise<void> {
  const mailbox = new MemoryMailbox(script.given);
  const place = await startPlace(mailbox, script.set);
  const clients = new Map<1 | 2, Client>();
  const bound = new Map<string, string>();
  try {
    const clientOf = async (of: 1 | 2): Promise<Client> => {
      const client = clients.get(of) ?? (await Client.to(place.port));
      clients.set(of, client);
      return client;
    };
    if (mode === "pipelined") {
      const client = await clientOf(1);
      client.send(script.lines.filter((l) => l.kind === "C").map((l) => `${l.text}\r\n`).join(""));
    }
    for (const l of script.lines) {
      const client = await clientOf(l.of);
      if (l.kind === "C") {
        if (mode === "octet by octet") await client.drip(`${l.text}\r\n`);
        else if (mode === "as written") client.send(`${l.text}\r\n`);
      } else {
        const line = await client.line();
        if (l.kind === "closed") assert.equal(line, undefined, `line ${l.n}: not closed`);
        else assert.ok(line !== undefined && matches(l.text, line, bound), `line ${l.n}: expected ${JSON.stringify(l.text)}, got ${JSON.stringify(line)}`);
      }
    }
    for (const client of clients.values()) client.socket.end();
    await Promise.all([...clients.keys()].map((of) => place.served(of)));
    await place.sessionsOver();
    for (const { what, uids } of script.then) {
      const found = mailbox.messages.filter((m) => what === "holds" || m.flags.has("\\Seen")).map((m) => m.uid);
      assert.deepEqual(found, uids, `then: ${what}`);
    }
    for (const pattern of script.log) {
      const expression = new RegExp(pattern.split("...").map(literal).join(".*"));
      assert.ok(place.log.some((line) => expression.test(line)), `${pattern} is not in\n${place.log.join("\n")}`);
    }
  } finally {
    for (const client of clients.values()) client.socket.destroy();
    await place.close();
  }
}

for (const file of readdirSync(import.meta.dirname).filter((f) => f.endsWith(".txt")).sort()) {
  const script = parse(readFileSync(join(import.meta.dirname, file), "latin1"));
  const modes: Mode[] = ["as written", "octet by octet"];
  if (!script.lines.some((l) => l.of === 2)) modes.push("pipelined");
  for (const mode of modes) test(`${file}, ${mode}`, () => play(script, mode));
}
