/** What a user's mail looks like from outside, and whether one look may follow from another. */
import assert from "node:assert/strict";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";

export interface MessageView {
  readonly uid: number;
  readonly id: string;
  readonly flags: readonly string[];
  readonly date: number;
}

export interface FolderView {
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly messages: readonly MessageView[];
}

export interface View {
  readonly folders: Readonly<Record<string, FolderView>>;
  readonly subscriptions: readonly string[];
}

/** Octets of a message that shows whether it is whole, and which one it is: "700-lines-of-x" has as many. */
export const text = (id: string, lines = Number(/^(\d+)-lines/.exec(id)?.[1] ?? 40)): Buffer => Buffer.from(`From: a@example.test\nX-Id: ${id}\nSubject: ${id}\n\n${`a line of ${id}\n`.repeat(lines)}end of ${id}\n`);

/** Its id. Throws when it is not all of it. */
function identify(octets: Buffer, where: string): string {
  const all = octets.toString("latin1");
  const id = /^X-Id: (\S+)\r$/m.exec(all)?.[1];
  assert.ok(id !== undefined, `${where} has no id: ${JSON.stringify(all.slice(0, 200))}`);
  assert.ok(all.endsWith(`end of ${id}\r\n`), `${where}, ${id}, is cut: ${JSON.stringify(all.slice(-100))}`);
  assert.equal(all.split(`a line of ${id}\r\n`).length, text(id).toString().split(`a line of ${id}\n`).length, `${where}, ${id}, has all its lines`);
  return id;
}

export async function viewOfMailbox(mailbox: Mailbox): Promise<FolderView> {
  const messages: MessageView[] = [];
  let last = 0;
  for (const { uid, flags, size, internalDate } of mailbox.messages) {
    const where = `${mailbox.name} UID ${uid}`;
    assert.ok(uid > last, `${where} comes after ${last}`);
    last = uid;
    const octets = await mailbox.read(uid);
    assert.ok(octets !== undefined, `${where} can be read`);
    assert.equal(size, octets.length, `${where} has the size that is told`);
    messages.push({ uid, id: identify(octets, where), flags: [...flags].sort(), date: Math.floor(internalDate / 1000) });
  }
  assert.ok(mailbox.uidNext > last, `${mailbox.name}: UIDNEXT ${mailbox.uidNext} is above ${last}`);
  return { uidValidity: mailbox.uidValidity, uidNext: mailbox.uidNext, messages };
}

/** Reads every message of every folder. Throws when something is not whole. */
export async function look(store: MailStore): Promise<View> {
  const folders: Record<string, FolderView> = {};
  for (const { name, selectable } of await store.folders()) {
    if (!selectable) continue;
    const mailbox = await store.open(name);
    try {
      await mailbox.refresh();
      folders[name] = await viewOfMailbox(mailbox);
    } finally {
      store.release(mailbox);
    }
  }
  return { folders, subscriptions: [...(await store.subscriptions())].sort() };
}

const idsOf = (view: View): Map<string, number> => {
  const count = new Map<string, number>();
  for (const { messages } of Object.values(view.folders)) for (const { id } of messages) count.set(id, (count.get(id) ?? 0) + 1);
  return count;
};

/**
 * A step from `before` to `after` was cut short and left `got`: every message is as it was or as it should become, in the same place
 * under the same UID; what the step removes is there or not; what it adds is there once or not; nothing else.
 */
export function assertBetween(before: View, after: View, got: View): void {
  for (const [name, folder] of Object.entries(got.folders)) {
    const was = before.folders[name];
    const will = after.folders[name];
    assert.ok(was !== undefined || will !== undefined, `${name} is of no use to the step`);
    if (was !== undefined) {
      assert.equal(folder.uidValidity, was.uidValidity, `UIDVALIDITY of ${name}`);
      assert.ok(folder.uidNext >= was.uidNext, `UIDNEXT of ${name} went back from ${was.uidNext} to ${folder.uidNext}`);
    }
    const added = new Map<string, number>();
    for (const { id } of will?.messages ?? []) added.set(id, (added.get(id) ?? 0) + 1);
    for (const { id } of was?.messages ?? []) added.set(id, (added.get(id) ?? 0) - 1);
    for (const message of folder.messages) {
      const where = `${name} UID ${message.uid} (${message.id})`;
      const old = was?.messages.find(({ uid }) => uid === message.uid);
      if (old === undefined) {
        assert.ok(was === undefined || message.uid >= was.uidNext, `${where}: its UID had another meaning`);
        const left = (added.get(message.id) ?? 0) - 1;
        assert.ok(left >= 0, `${where} came from nowhere`);
        added.set(message.id, left);
        continue;
      }
      assert.equal(message.id, old.id, `${where} was ${old.id}`);
      assert.equal(message.date, old.date, `date of ${where}`);
      const next = will?.messages.find(({ uid, id }) => uid === message.uid && id === message.id) ?? old;
      for (const flag of new Set([...message.flags, ...old.flags, ...next.flags])) {
        const allowed = [old, next].some(({ flags }) => flags.includes(flag) === message.flags.includes(flag));
        assert.ok(allowed, `${where}: flags were ${old.flags.join(" ")}, should become ${next.flags.join(" ")}, are ${message.flags.join(" ")}`);
      }
    }
    for (const { uid, id } of was?.messages ?? []) {
      if (folder.messages.some((message) => message.uid === uid)) continue;
      assert.ok(will === undefined || !will.messages.some((message) => message.uid === uid), `${name} UID ${uid} (${id}) is gone`);
    }
  }
  const ids = idsOf(got);
  const last = idsOf(after);
  for (const id of idsOf(before).keys()) if (last.has(id)) assert.ok(ids.has(id), `${id} is lost`);
  for (const name of Object.keys(before.folders)) assert.ok(got.folders[name] !== undefined || after.folders[name] === undefined, `folder ${name} is gone`);
  for (const name of got.subscriptions) assert.ok(before.subscriptions.includes(name) || after.subscriptions.includes(name), `subscription of ${name}`);
  for (const name of before.subscriptions) assert.ok(got.subscriptions.includes(name) || !after.subscriptions.includes(name), `subscription of ${name} is gone`);
}

/**
 * What a step that was acknowledged must have made; UIDVALIDITY and dates of what was not there before may be any, and with `anyUid` its UIDs:
 * what could not be written at first may have got others since.
 */
export function assertDone(before: View, after: View, got: View, anyUid = false): void {
  const plain = (view: View): unknown => ({
    subscriptions: view.subscriptions,
    folders: Object.fromEntries(
      Object.entries(view.folders).map(([name, { uidValidity, messages }]) => {
        const was = before.folders[name];
        const known = new Set(was?.messages.map(({ uid }) => uid));
        return [name, { uidValidity: was === undefined ? "new" : uidValidity, messages: messages.map((message) => (known.has(message.uid) ? message : { id: message.id, flags: message.flags, uid: anyUid ? "new" : message.uid })) }];
      }),
    ),
  });
  assert.deepEqual(plain(got), plain(after));
}
