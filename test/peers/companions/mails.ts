/** The mails that formail.calls names. */
const from = "From joe@example.org  Mon Jan  1 00:00:00 2024\n";
const header = (subject: string, more = ""): string => `From: Joe User <joe@example.org>\nTo: ann@example.net\n${more}Subject: ${subject}\nMessage-ID: <${subject.length}.${subject.replaceAll(/\W/g, "")}@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n`;
const message = (subject: string, body = `body of ${subject}\n\n`): string => `${from}${header(subject)}\n${body}`;
const rfc1153 = `${from}From: list@example.org\nSubject: Digest\n\nToday's topics:\n\n   one, two\n\n----\n\nDate: Mon, 1 Jan 2024\nFrom: a@b.c\nSubject: one\n\nfirst\n\n----\n\nFrom: c@d.e\nSubject: two\n folded\nX-Mailer: none\n\nsecond\nNote: not a field of mail\nSubject: inside\n\nKey: value\n\nSubject: alone\n\nEnd of digest\n`;

export const mails: Readonly<Record<string, string>> = {
  plain: `${header("hello world")}\nA line.\n\nAnother.\n`,
  "plain-from": message("with a From_ line"),
  nobody: "Subject: from nobody\n\nbody\n",
  headless: "no header at all\nsecond line\n",
  empty: "",
  newlines: "\n\n\n",
  nul: `${header("nuls", "X-Nul: a\0b\n")}\nbody\0with\0nuls\n\0`,
  crlf: header("crlf").replaceAll("\n", "\r\n") + "\r\nbody\r\n",
  unended: `${header("no newline at the end")}\nlast line`,
  "from-only": "From joe Mon\n",
  forwarded: "From joe Mon Jan  1 00:00:00 2024 remote from one\n>From ann Tue Jan  2 00:00:00 2024 remote from two\nSubject: by UUCP\n\nbody\n",
  bogus: `${from}${header("From lines")}\nFrom the start\nText\nFrom x y\n>From z\n From q\nFrom: field\n\nFrom a@b.c Mon Jan  1\nX: 1\nY: 2\n\nend\n`,
  length: `${from}Content-Length: 70\n${header("length")}\nFrom a@b.c Mon Jan  1 00:00:00 2024\nSubject: inside\nTo: x\n\n0123456789\n\n${message("after")}`,
  "length-long": `${from}Content-Length: 9999\n${header("too long")}\nbody\n\n${message("after")}`,
  nodate: "From: a@b.c\n\nbody\n",
  noid: "From: a@b.c\nSubject: no id\n\nbody\n",
  many: `Return-Path: <env@example.org>\nReceived: from a by b\n\twith SMTP; Mon\nReceived: from c by d\n  (envelope)\nReceived : squeezed\nX-One: 1\nX-Two: 2\nX-One: 3\nReply-To: reply@example.org\nCc: cc@example.org\nIn-Reply-To: <before@example.org>\nReferences: <first@example.org>\n <before@example.org>\n${header("many fields")}to: second@example.net\n\nbody\n`,
  folded: "From: a@b.c\nSubject:\n folded\n  twice  \nTo:\t\nX-Blank: \nX-Empty:\nX-Two:  \nX-Tight:x\nX-Space :y\n\nbody\n",
  resent: `Resent-From: r@x.y\nResent-Reply-To: rr@x.y\nResent-Sender: rs@x.y\nSender: s@x.y\n${header("resent")}\nbody\n`,
  bounce: `From MAILER-DAEMON  Mon Jan  1 00:00:00 2024\nReturn-Path: <>\nFrom: MAILER-DAEMON@x.y\nSubject: undeliverable\n\nbody\n`,
  news: "Path: news!a!b\nFrom: poster@x.y (The Poster)\nNewsgroups: comp.mail\nSubject: Re: question\nMessage-ID: <news@x.y>\nReferences: <q@x.y>\n\nanswer\n",
  loop: `X-Loop: list@example.org\n${header("loop")}\nbody\n`,
  "long-subject": `Subject: ${"long ".repeat(40)}\n\nbody\n`,
  mbox: `${message("one")}${message("two", "From me\nto you\n\n")}${message("three")}`,
  "mbox-twice": `${message("one")}${message("one")}${message("two")}`,
  "mbox-dense": `${from}${header("one")}\nbody\n${from}${header("two")}\nbody\n`,
  digest: rfc1153,
  articles: "Subject: first\nFrom: a@b.c\n\ntext\n\nArticle 5 of comp.mail:\nPath: x\nSubject: second\n\nmore\n\nArticle 6\nno header\n",
  babyl: "BABYL OPTIONS: -*- rmail -*-\nVersion: 5\nLabels:\n\x1f\f\n0, unseen,,\n*** EOOH ***\nFrom: a@b.c\nSubject: one\nTo: x@y.z\n\nbody one\n\x1f\f\n1,,\nReceived: by x\nFrom: c@d.e\nSubject: two\n*** EOOH ***\nFrom: c@d.e\nSubject: two\n\nbody two\n\x1f",
};
