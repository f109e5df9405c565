/**
 * Maildirs as Courier, qmail, maildrop, mutt, mbsync, Dovecot, rsync and people leave them; from a seed. Names are latin1. Two files of one name, and what
 * is no file, are not among them: there Dovecot and we agree on what is shown, not on which of two keeps its name.
 */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import type { Chance } from "../message/chance.ts";

export interface StrangeFile {
  readonly directory: "cur" | "new";
  readonly name: string;
  readonly text: string;
  /** s since the epoch. */
  readonly time: number;
}

/** Name up to its flags, in the manner of several programs. */
function base(c: Chance, i: number): string {
  const second = c.oneIn(4) ? 1_700_000_000 : 1_700_000_000 + c.below(1000);
  const host = c.pick(["host.example", "h", "mail_host", "a\\057b", "h\\072x"]);
  return c.pick([
    () => `${second}.M${c.below(1e6)}P${100 + i}.${host}`,
    () => `${second}.M${c.below(1e6)}P${100 + i}Q${i}.${host}`,
    () => `${second}.M${c.below(1e6)}P${100 + i}V00000000000008FFI00000000000${i}_0.${host}`,
    () => `${second}.${100 + i}.${host}`,
    () => `${second}.${100 + i}_${i}.${host}`,
    () => `${second}.H${c.below(1e6)}P${100 + i}.${host}`,
    () => `${second}.${100 + i}_${i}.${host},U=${1 + c.below(50)}`,
    () => `${second}.R${c.below(1e9)}.${host}`,
    () => `msg-${i}`,
    () => `${i}`,
    () => `with blank ${i}`,
    () => `caf\xe9-${i}`,
    () => `caf\xc3\xa9-${i}`,
    () => `${second}.M1P${i}.${host}.lock`,
    () => `${"x".repeat(150)}${i}`,
    () => `${second}.M1P${i}.${host},Xunknown=1`,
    () => `tab\t${i}`,
    () => `back\\slash${i}`,
  ] as const)();
}

const sizes = (c: Chance, text: string): string => {
  const crlf = Buffer.from(text, "latin1").toString("latin1").replaceAll(/(?<!\r)\n/g, "\r\n").length;
  return c.pick([() => "", () => "", () => `,S=${text.length}`, () => `,S=${text.length},W=${crlf}`, () => `,W=${crlf}`, () => `,W=${crlf},S=${text.length}`] as const)();
};

const flags = (c: Chance, directory: "cur" | "new"): string => {
  if (directory === "new") return c.pick(["", "", "", "", ":2,", ":2,S"]);
  return c.pick([":2,", ":2,", ":2,S", ":2,S", ":2,FS", ":2,RS", ":2,DFPRST", ":2,T", ":2,SS", ":2,SF", ":2,Sa", ":2,ab", ":2,SX", ":2,S,extra", ":2", ":1,", ":1,SE", ":", "", ":3,S", ":2,s", ":2,S:2,F", ":2,S ", ":2,P", ":2,Sz"]);
};

const texts = [
  () => "Subject: x\n\nbody\n",
  () => "",
  () => "x",
  () => "\n",
  () => "Subject: no end",
  () => "Subject: x\r\n\r\nbody\r\n",
  () => "Subject: mixed\n\nbody\r\nbody\n",
  () => "From a@b Sat Nov 21 05:30:00 2026\nSubject: x\n\nFrom here\n",
  () => "Subject: nul\0\n\nnul\0nul\n",
  () => "no header at all\n\n\n",
  () => `Subject: long\n\n${"x".repeat(5000)}\n`,
  () => "Subject: \xe4\xf6\n\n\xfc\n",
  () => "Subject: bare\rcr\n\nbody\rcr\n",
] as const;

export function strangeMaildir(c: Chance): StrangeFile[] {
  const files: StrangeFile[] = [];
  const count = c.below(c.oneIn(5) ? 60 : 12);
  for (let i = 0; i < count; i++) {
    const directory = c.oneIn(3) ? "new" : "cur";
    const text = c.pick(texts)();
    files.push({ directory, name: base(c, i) + sizes(c, text) + flags(c, directory), text, time: c.pick([1_600_000_000 + c.below(1e6), 1_700_000_000, 1, 4_000_000_000]) });
    if (c.oneIn(20)) files.push({ directory, name: c.pick([`.hidden${i}`, `.nfs000${i}`]), text, time: 1_700_000_000 });
  }
  return files;
}

/** Things that other programs leave in a Maildir, beside the messages. */
export function strangeThings(c: Chance): Readonly<Record<string, string>> {
  const some: Record<string, string> = {};
  const put = (n: number, name: string, text: string): void => void (c.oneIn(n) && (some[name] = text));
  put(4, "dovecot-keywords", c.pick(["0 $Forwarded\n1 NonJunk\n", "0 a\n2 c\n25 z\n", "0 a\n0 b\n", "x y\n0 $Label1\n26 toomuch\n", "", "0 a\r\n1 b\r\n", "1 b\n0 a\n"]));
  put(6, "maildirsize", c.pick(["1000000S\n10 1\n", "", "garbage\n", "1000S,10C\n5 1\n-5 -1\n"]));
  put(6, "subscriptions", c.pick(["INBOX\nA\n", "V\t2\n\nA\tB\n", "", "gone\n"]));
  put(6, "courierimapsubscribed", "INBOX\nINBOX.A\nINBOX.gone\n");
  // A whole one would give UIDs, which Dovecot takes from nobody: test/interchange/courier.test.ts.
  put(6, "courierimapuiddb", "1 1234567\n3 1700000000.M1P1.h\n");
  put(8, ".mbsyncstate", "FarUidValidity 1\nNearUidValidity 1\nMaxPulledUid 3\n\n1 1 S\n");
  put(8, ".uidvalidity", "123456\n9\n");
  put(8, "dovecot-acl", "owner lrwstipekxa\n");
  put(8, "dovecot-uidvalidity", "5f000000");
  put(8, "courierpop3dsizelist", "/2 1 1\n");
  put(8, ".qmail", "./Maildir/\n");
  return some;
}

/** Puts them on disk. */
export function makeMaildir(path: string, files: readonly StrangeFile[], things: Readonly<Record<string, string>>): void {
  for (const directory of ["", "/cur", "/new", "/tmp"]) mkdirSync(path + directory, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(things)) writeFileSync(`${path}/${name}`, text, "latin1");
  for (const { directory, name, text, time } of files) {
    const to = Buffer.from(`${path}/${directory}/${name}`, "latin1");
    writeFileSync(to, text, "latin1");
    utimesSync(to, time, time);
  }
}
