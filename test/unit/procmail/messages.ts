/** The mails that every rc file is tried with: usual ones, and forms that programs trip over. Octets as latin1. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Message {
  readonly name: string;
  readonly octets: Buffer;
}

const postmark = (sender: string): string => `From ${sender}  Sat Nov 21 05:41:33 2026\n`;
const bob = postmark("bob@example.net");
const lines = (n: number, text: string): string => Array.from({ length: n }, (_, i) => `${text} ${String(i)}\n`).join("");

const plain = `${bob}From: Bob B <bob@example.net>\nTo: Alice <alice@example.org>\nSubject: hello\nMessage-ID: <1@example.net>\nX-Folded: one\n\ttwo\n\nfirst line\nFrom second line\nthe end\n`;

const texts: readonly (readonly [name: string, text: string])[] = [
  ["plain", plain],
  ["reply", `${bob}From: "Bob B" <bob@example.net>\nTo: alice@example.org\nCc: carol@example.com\nSubject: Re: hello, meeting\nIn-Reply-To: <1@example.net>\nMessage-ID: <2@example.net>\n\n> first line\n> second\nIt is fine :-)\n-- \nBob\n`],
  ["list", `${postmark("surf-request@lists.example.com")}Received: from lists.example.com by mx.example.org\n\tid 4711; Sat, 21 Nov 2026 05:41:30 +0000\nReturn-Path: <surf-bounces@lists.example.com>\nList-Id: Surfing <surf.lists.example.com>\nList-Post: <mailto:surf@lists.example.com>\nPrecedence: list\nFrom: dora@example.de\nTo: surf@lists.example.com\nSubject: [surf] Digest 12\nMessage-ID: <d1@example.de>\n\nwaves\nand more waves\n`],
  ["bounce", `${postmark("MAILER-DAEMON")}From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\nTo: alice@example.org\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/plain\n\nno such user\n--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n--b--\n`],
  ["advert", `${postmark("x9@bulk.example")}From: "BEST PRICE!!!" <x9@bulk.example>\nReply-To: nobody@bulk.example\nTo: undisclosed-recipients:;\nSubject: $$$ MAKE MONEY FAST $$$ FREE!!! (act now)\nX-Mailer: Blaster 2.0\nX-Spam-Flag: YES\nX-Spam-Level: *******\nContent-Type: text/html; charset="ks_c_5601-1987"\n\n<html><b>FREE money</b> free <a href="http://192.0.2.1/">click</a> viagra\nremove me\n`],
  ["folded", `${bob}From: Bob\n <bob@example.net>\nTo: alice@example.org,\n\tcarol@example.com,\n   dave@example.com\nSubject: a\n subject\n\tof many\n   lines\nX-Empty:\nX-Blank: \n\t\n\nbody\n`],
  ["no body", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\n`],
  ["no empty line", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: hello\n`],
  ["no final newline", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\nthe end`],
  ["header without final newline", `${bob}From: bob@example.net\nSubject: hello`],
  ["two final newlines", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\nbody\n\n`],
  ["many final newlines", `${bob}From: bob@example.net\nSubject: hello\n\nbody\n\n\n\n`],
  ["body of newlines", `${bob}From: bob@example.net\nSubject: hello\n\n\n\n`],
  ["From lines", `${bob}From: bob@example.net\nSubject: From lines\n\nFrom here on\n>From there\nFrom\nfrom me\n\nFrom  two blanks\n From a blank\nFrom:\n\nFrom`],
  ["first line of the body is From", `${bob}From: bob@example.net\nSubject: hello\n\nFrom bob@example.net  Sat Nov 21 05:41:33 2026\nSubject: within\n\nx\n`],
  ["no postmark", plain.slice(bob.length)],
  ["quoted postmark", `${bob}>From bob Sat Nov 21 05:41:33 2026 remote from far\nFrom: bob@example.net\nSubject: hello\n\nx\n`],
  ["Content-Length", `${bob}From: bob@example.net\nContent-Length: 30     \nSubject: hello\n\nFrom 1234\nFrom 5678\nFrom 9012\nFrom beyond\n`],
  ["Content-Length, empty line at the end", `${bob}Content-Length: 1\nFrom: bob@example.net\nSubject: hello\n\n\nFrom 1234\nline\n\n`],
  ["Content-Length of nothing", `${bob}From: bob@example.net\nContent-Length:\nSubject: hello\n\nFrom 1234\n`],
  ["CRLF", `${bob}From: bob@example.net\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nfirst line\r\nFrom second\r\n`],
  ["NUL", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: he\0llo\nX-After: hello\n\nbody\0line\nline two\0\n`],
  ["eight bits", `${bob}From: J\xfcrgen <j@example.de>\nTo: alice@example.org\nSubject: Gr\xc3\xbc\xc3\x9fe \xff\xfe\n\n\xe4\xf6\xfc line\n`],
  ["encoded", `${bob}From: =?utf-8?q?J=C3=BCrgen?= <j@example.de>\nTo: alice@example.org\nSubject: =?utf-8?B?SGVsbG8gd29ybGQ=?=\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe=20line\n`],
  ["attachment", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: invoice\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=_x"\n\n--=_x\nContent-Type: text/plain\n\nsee line\n--=_x\nContent-Type: application/x-msdownload; name="invoice.exe"\nContent-Disposition: attachment; filename="invoice.exe"\nContent-Transfer-Encoding: base64\n\n${"TVqQAAMAAAAEAAAA\n".repeat(40)}--=_x--\n`],
  ["long lines", `${bob}From: bob@example.net\nTo: ${Array.from({ length: 120 }, (_, i) => `user${String(i)}@example.org`).join(", ")}\nSubject: ${"long ".repeat(300)}\n\n${"word ".repeat(3000)}\nline\n`],
  ["many lines", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: report\n\n${lines(400, "line")}`],
  ["large", `${bob}From: bob@example.net\nTo: alice@example.org\nSubject: large\n\n${lines(9000, "this is line number")}`],
  ["loop", `${bob}Received: from a by b; Sat, 21 Nov 2026 05:41:30 +0000\nReceived: from c by d; Sat, 21 Nov 2026 05:41:29 +0000\nX-Loop: alice@example.org\nDelivered-To: alice@example.org\nFrom: alice@example.org\nTo: list-owner@example.org\nResent-To: bob@example.net\nSubject: send file notes.txt\n\nline\n`],
  ["marks of the shell", `${bob}From: "a;b|c" <bob@example.net>\nTo: "'quoted'" <alice@example.org>\nSubject: $(touch pwned) \`id\` ; rm -rf * > x & $HOME "q" 'q' \\ * ? [a] .hidden ../../up\n\n!$&*()line\n`],
  ["one line", "just one line\n"],
  ["nothing but a postmark", bob],
];

/** Some mails of a corpus beside the checkout, where it is there. @param wanted how many */
function corpus(wanted: number): Message[] {
  const directory = new URL("../../../../shared/corpus/", import.meta.url).pathname;
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith(".eml")).sort();
  const step = Math.max(Math.floor(names.length / wanted), 1);
  return names
    .filter((_, i) => i % step === 0)
    .slice(0, wanted)
    .map((name) => ({ name: `corpus ${name}`, octets: Buffer.concat([Buffer.from(bob), readFileSync(join(directory, name))]) }));
}

const written: readonly Message[] = texts.map(([name, text]) => ({ name, octets: Buffer.from(text, "latin1") }));

export const messages: readonly Message[] = [...written, ...corpus(6)];

/** With the whole corpus. */
export const everyMessage = (): readonly Message[] => [...written, ...corpus(Infinity)];
