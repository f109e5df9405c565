/** Lines by chance from pieces of commands, literals among them: each gets one answer, and the command behind it is understood. RFC 3501 §2.2 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance } from "../message/chance.ts";
import { MemoryStore } from "./memory-store.ts";
import { startSessions, type Client } from "./session.ts";

const pieces = [
  ...["FETCH", "STORE", "SEARCH", "UID", "COPY", "MOVE", "APPEND", "SELECT", "LIST", "STATUS", "SORT", "THREAD", "CREATE", "RENAME", "EXPUNGE", "ENABLE", "ID", "INBOX", "ALL", "NOT", "OR", "HEADER", "CHARSET", "UTF-8", "RETURN", "KEYWORD", "BEFORE", "1-Jan-2020", "NIL", "FLAGS", "(FLAGS)", "+FLAGS", "\\Seen"],
  ...["1:*", "*", "0", "4294967296", "1:", ",", "(", ")", "BODY[", "BODY[]", "BODY[1.2.MIME]", "BODY[HEADER.FIELDS (", "]", "<0.1>", "\"", "\"a\"", "\"a\\\"", "\"\\", "\\", "%", "&", "$", "~", "\0", "\xff", "\r", "\t", "  "],
  ...["{3}", "{3+}", "{0+}", "{1+", "{-1+}", "{99999999999+}", "x".repeat(2000), "(".repeat(300), "NOT ".repeat(200), `${"1,".repeat(3000)}1`, "y".repeat(70_000)],
] as unknown as readonly [string, ...string[]];

/** Octets of the literal that ends the line, and whether the server must ask for it. */
function literal(line: string): { readonly size: number; readonly asked: boolean } | undefined {
  const m = /\{(\d{1,10})(\+)?\}$/.exec(line);
  return m === null ? undefined : { size: Number(m[1]), asked: m[2] === undefined };
}

/** Sends it and NOOP behind it. Answers with the responses up to that of NOOP, or to the end of the connection. */
async function tried(client: Client, tag: string, line: string): Promise<string[]> {
  const noop = "behind NOOP\r\n";
  const end = literal(line);
  client.send(`${tag} ${line}\r\n`);
  // Inside a literal nothing is a command.
  const rest = end === undefined ? "" : `${"X LOGOUT\r\n".repeat(end.size).slice(0, end.size)}\r\n`;
  if (end === undefined || end.size > 100) client.send(noop);
  else if (!end.asked) client.send(rest + noop);
  let waiting = end?.asked === true && end.size <= 100;
  const said: string[] = [];
  for (;;) {
    const response = await client.response();
    if (response === undefined) return said;
    const wanted = response.startsWith("+ ");
    if (!wanted) said.push(response);
    if (response.startsWith("behind ")) return said;
    // A literal that is not asked for is not sent.
    if (waiting && (wanted || response.startsWith(`${tag} `))) {
      client.send(wanted ? rest + noop : noop);
      waiting = false;
    }
  }
}

test("lines by chance", async () => {
  const store = new MemoryStore();
  store.mailbox("INBOX").add([{ octets: Buffer.from("Subject: x\r\n\r\ny\r\n"), flags: new Set(), internalDate: 0 }]);
  const sessions = await startSessions(store);
  try {
    let answered = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const c = new Chance(seed);
      const client = await sessions.login();
      await client.ask("SELECT INBOX");
      for (let n = 0; n < 25; n++) {
        const tag = `a${n}`;
        const line = c.some(1, 8, () => c.pick(pieces) + c.pick([" ", " ", " ", ""])).join("").trimEnd();
        const said = await tried(client, tag, line);
        const what = `seed ${seed}: ${JSON.stringify(line.slice(0, 200))}: ${JSON.stringify(said.slice(-3))}`;
        if (said.at(-1)?.startsWith("behind OK") !== true) {
          assert.ok(said.some((r) => r.startsWith("* BYE ")), what);
          break;
        }
        const own = said.filter((r) => r.startsWith(`${tag} `) || r.startsWith("* BAD "));
        assert.equal(own.length, 1, what);
        answered++;
      }
      client.socket.destroy();
    }
    assert.ok(answered > 500);
  } finally {
    await sessions.close();
  }
});
