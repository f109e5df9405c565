/**
 * One user's mail, served by Posthorn and Dovecot in turn, ten times there and back (five where each starts without what it knew). Each
 * does things to it by chance; whatever it shows at the end of its turn the other shows at the beginning of its own: folders,
 * subscriptions, UIDVALIDITY, UIDNEXT, UIDs, flags, keywords, dates, sizes, octets, POP3 unique-ids. SEED picks another course of
 * events, TIMES how often.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, doSome, plainSpace, type Space } from "./operations.ts";
import { look, maildrop, type Maildrop, type Seen } from "./view.ts";
import { forgetDovecotIndex, forgetOurIndex, makeWorld, missing, type Kind, type Side, type World } from "./world.ts";

const times = Number(process.env["TIMES"] ?? 10);
const turns = { with: times, without: Math.ceil(times / 2) };
const seed = Number(process.env["SEED"] ?? 1);

interface Snapshot {
  readonly seen: Seen;
  readonly drop: Maildrop;
}

async function snapshot(world: World, side: Side): Promise<Snapshot> {
  const { imap, pop3 } = side === "ours" ? world.ours.ports : world.theirs;
  const session = await world.imap(imap);
  const seen = await look(session);
  await session.logout();
  return { seen, drop: await maildrop(pop3, world.user.name, world.user.password) };
}

/**
 * Dovecot leaves an mbox without messages empty, and remembers its numbers in its index, as files of its own. Nobody has seen a message under
 * them; where there are messages, or we were there, numbers are in the file.
 */
function told({ seen, drop }: Snapshot, kind: Kind): Snapshot {
  if (kind === "maildir") return { seen, drop };
  const mailboxes = Object.fromEntries(Object.entries(seen.mailboxes).map(([name, box]) => [name, box.messages.length > 0 ? box : { ...box, uidValidity: 0, uidNext: 0 }]));
  return { seen: { ...seen, mailboxes }, drop };
}

interface Course {
  readonly kind: Kind;
  readonly index: "with" | "without";
  /** One for each, of a user's name. */
  readonly letter: string;
  readonly space: Space;
  /** Of mail_location. */
  readonly options?: string;
  /** Lines of dovecot.conf. */
  readonly dovecot?: string;
}

const courier: Space = { prefix: "INBOX.", separator: "." };

const courses: Course[] = (["maildir", "mbox"] satisfies Kind[]).flatMap((kind) => [
  { kind, index: "with", letter: `${kind.slice(0, 2)}i`, space: plainSpace },
  { kind, index: "without", letter: `${kind.slice(0, 2)}n`, space: plainSpace },
  { kind, index: "with", letter: `${kind.slice(0, 2)}c`, space: courier },
]);
courses.push(
  // In its index of names a directory that became a folder, made by another program, never is one.
  { kind: "maildir", index: "with", letter: "mafs", space: plainSpace, options: ":LAYOUT=fs", dovecot: "mailbox_list_index = no\n" },
  { kind: "maildir", index: "without", letter: "mafc", space: plainSpace, options: ":LAYOUT=fs:DIRNAME=.md:CONTROL=~/control:INDEX=~/index" },
  { kind: "maildir", index: "without", letter: "mact", space: courier, options: ":CONTROL=~/control:INBOX=~/Inbox" },
);

for (const { kind, index, letter, space, options = "", dovecot = "" } of courses) {
  test(`${kind}${options}, ${index} the indexes of both, prefix "${space.prefix}"`, { skip: missing }, async (t) => {
    const world = await makeWorld(t, { kind, letter, space, options, dovecot });
    const chance = new Chance(seed + (kind === "mbox" ? 1000 : 0) + (index === "with" ? 500 : 0));
    const serial = { next: 1 };
    await world.theirs.start();
    let before: Snapshot | undefined;
    const course: string[] = [];
    const during = <T>(work: Promise<T>): Promise<T> => work.catch((cause: unknown) => assert.fail(`${String(cause)}\n${course.join("\n")}`));
    for (let turn = 0; turn <= turns[index] * 2; turn++) {
      const side: Side = turn % 2 === 0 ? "theirs" : "ours";
      if (index === "without") {
        // Sessions know more than files: who is to start without an index starts anew.
        await world.theirs.stop();
        await world.ours.stop(false);
        for (const directory of [world.root, world.user.home]) {
          forgetDovecotIndex(directory);
          forgetOurIndex(directory);
        }
        await (side === "ours" ? world.ours.restart() : world.theirs.start());
      }
      const here = await during(snapshot(world, side));
      if (before !== undefined) assert.deepEqual(told(here, kind), told(before, kind), `turn ${turn}: ${side} sees something else\n${course.join("\n")}`);
      const imap = await world.imap(side === "ours" ? world.ours.ports.imap : world.theirs.imap);
      course.push(`turn ${turn}, ${side}`);
      await during(doSome({ imap, chance, serial, course, space }, 12));
      await imap.logout();
      before = await during(snapshot(world, side));
    }
  });
}
