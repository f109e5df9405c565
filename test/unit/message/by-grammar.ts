/**
 * Messages written production by production, with what the grammars allow and hardly anybody writes, and here and there what they forbid:
 * RFC 5322, 2045, 2046, 2047, 2183, 2231, 2557, 3282, 3798, 6532. One character per octet, line ends are LF.
 */
import type { Chance } from "./chance.ts";

/** One in so many values is none of its grammar. */
const faults = 25;

const wrong = (c: Chance): boolean => c.oneIn(faults);

// RFC 5322 §3.2.2

const fws = (c: Chance): string => c.pick([" ", " ", "  ", "\t", "\n ", "\n\t", " \n  ", "\t\n \t"]);

function comment(c: Chance, depth = 2): string {
  const inside = c.some(0, 3, () => c.pick(["c", "two words", "\\)", "\\(", "\\\\", "\"", "@", ",", ";", "\xc3\xa4", "=?utf-8?Q?=C3=A4?=", ...(depth > 0 ? [comment(c, depth - 1)] : [])]));
  return `(${inside.join(c.pick(["", " ", "\n "]))}${wrong(c) ? "" : ")"}`;
}

/** [CFWS], mostly nothing. */
const cfws = (c: Chance): string => (c.oneIn(3) ? c.pick([fws(c), fws(c), `${fws(c)}${comment(c)}`, `${comment(c)}${fws(c)}`, comment(c), `${comment(c)}${fws(c)}${comment(c)}`]) : "");

/** White space that must be there. */
const some = (c: Chance): string => fws(c) + (c.oneIn(6) ? comment(c) + fws(c) : "");

const atom = (c: Chance): string => c.pick(["a", "bob", "Roe", "x-y", "o'neil", "1", "a+b", "!#$%&'*+-/=?^_`{|}~", "\xc3\xa4rger", "=?iso-8859-1?Q?=E4?=", "NIL", "x".repeat(80)]);

const quotedString = (c: Chance): string => {
  const inside = c.some(0, 4, () => c.pick(["a", "two words", "\\\"", "\\\\", "\\a", "(", ")", "<", ">", "@", ",", ";", ":", "[", ".", "  ", "\n ", "\t", "\xc3\xa4", "=?utf-8?Q?=C3=A4?=", "'"]));
  return `"${inside.join("")}${wrong(c) ? "" : '"'}`;
};

const word = (c: Chance): string => (c.oneIn(4) ? quotedString(c) : atom(c));
const dotAtom = (c: Chance): string => c.some(1, 3, () => atom(c).replaceAll("=?", "=_")).join(".");

/** phrase, and obs-phrase with full stops. RFC 5322 §3.2.5, §4.1 */
const phrase = (c: Chance): string => c.some(1, 4, () => (c.oneIn(6) ? `${atom(c)}.` : word(c))).join(some(c));

// RFC 5322 §3.4, §4.4

const domainLiteral = (c: Chance): string => c.pick(["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ 192.0.2.1 ]", "[x\\]y]", "[]"]);
const domain = (c: Chance): string => (c.oneIn(8) ? domainLiteral(c) : c.oneIn(10) ? c.some(2, 3, () => atom(c)).join(`${cfws(c)}.${cfws(c)}`) : c.pick(["example.org", "x", "a.b.c.example", "b\xc3\xbccher.example", "xn--bcher-kva.example"]));
const localPart = (c: Chance): string => (c.oneIn(5) ? quotedString(c) : c.oneIn(10) ? c.some(2, 3, () => word(c)).join(`${cfws(c)}.${cfws(c)}`) : dotAtom(c));
const addrSpec = (c: Chance): string => (wrong(c) ? c.pick(["bob", "@example.org", "bob@", "a@b@c", "a b@c", "a\\@b", "", ".", "a@b."]) : `${localPart(c)}${cfws(c)}@${cfws(c)}${domain(c)}`);
const route = (c: Chance): string => (c.oneIn(8) ? `${c.some(1, 3, () => `@${domain(c)}`).join(c.pick([",", ", ", ",,"]))}:` : "");
const angleAddr = (c: Chance): string => `<${cfws(c)}${route(c)}${addrSpec(c)}${cfws(c)}${wrong(c) ? c.pick(["", ">>", " x>"]) : ">"}`;
const mailbox = (c: Chance): string => cfws(c) + (c.oneIn(3) ? addrSpec(c) : c.oneIn(5) ? angleAddr(c) : `${phrase(c)}${c.oneIn(8) ? cfws(c) : some(c)}${angleAddr(c)}`) + cfws(c);
const commas = (c: Chance): string => (c.oneIn(10) ? c.pick([",,", ", ,", ",\n ,\n "]) : c.pick([",", ", ", ",\n ", " ,\t"]));
const group = (c: Chance): string => `${phrase(c)}${cfws(c)}:${c.oneIn(3) ? cfws(c) : c.some(1, 3, () => mailbox(c)).join(commas(c))}${wrong(c) ? "" : ";"}${cfws(c)}`;
const addressList = (c: Chance): string => (c.oneIn(15) ? cfws(c) : c.some(1, 5, () => (c.oneIn(6) ? group(c) : mailbox(c))).join(commas(c)));

// RFC 5322 §3.3, §3.6.4, §4.3

const zone = (c: Chance): string => c.pick(["+0000", "-0000", "+0530", "-1130", "GMT", "UT", "EST", "PDT", "Z", "A", "+9999", "CEST", ""]);
const date = (c: Chance): string => {
  if (wrong(c)) return c.pick(["yesterday", "", "32 Jan 2020 00:00:00 +0000", "1 Foo 2020 00:00:00 +0000", "2020-01-01T00:00:00Z", "Jan 1 00:00:00 2020", "1 Jan 2020"]);
  const time = c.pick(["00:00:00", "23:59:60", "1:2:3", "12:30", "12 : 30 : 00", "12(noon):30:00"]);
  const day = c.pick(["", "Mon, ", "Tue,", "Wed ,\n ", "Thursday, ", "(c) Fri , "]);
  return `${day}${c.pick(["1", "01", "31", " 9"])}${some(c)}${c.pick(["Jan", "jan", "MAR", "May", "December"])}${some(c)}${c.pick(["2020", "1999", "99", "09", "103", "12020", "1970", "1900"])}${some(c)}${time}${some(c)}${zone(c)}${cfws(c)}`;
};
const msgId = (c: Chance): string => `${cfws(c)}<${wrong(c) ? c.pick(["x", "", "a b@c", "<a@b>", "@"]) : `${c.pick(["a", "x.y", "\"q q\"", "a\\b", "1$2"])}${c.oneIn(10) ? cfws(c) : ""}@${c.pick(["b", "example.org", "[no-fold]", "[a\\]b]"])}`}${wrong(c) ? "" : ">"}${cfws(c)}`;
const msgIds = (c: Chance): string => c.some(0, 4, () => msgId(c)).join(c.pick(["", " ", "\n ", " , "]));

// RFC 2047

const encodedTexts = [
  "=?utf-8?Q?=C3=A4?=", "=?UTF-8*de?q?Stra=C3=9Fe_x?=", "=?iso-8859-1?B?5Pb8?=", "=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "=?gb18030?B?1tDOxA==?=", "=?koi8-r?B?8NLJ18XU?=", "=?windows-1251?Q?=CF=F0=E8?=",
  "=?windows-1252?Q?=80?=", "=?utf-7?Q?+AOQ-?=", "=?x-unknown?Q?abc?=", "=?utf-8?B?w6?=", "=?utf-8?B?pA==?=", "=?utf-8?Q?a b?=", "=?utf-8?X?a?=", "=?utf-8?Q?=C3?=", "=?utf-8?Q?=A4?=", "=?utf-8?Q??=", "=?utf-8?Q?x", "=?=?=", "=?utf-8?B?////?=", "=?big5?B?pKSk5Q==?=", "=?euc-kr?B?x9GxuQ==?=", "=?shift_jis?B?k/qWew==?=",
] as const;
const unstructured = (c: Chance): string => c.some(0, 6, () => (c.oneIn(3) ? c.pick(encodedTexts) : c.pick(["word", "Re:", "Fwd:", "[list]", "\xc3\xa4", "\xe4", "\"", "\\", "(x)", "a\rb", "(fwd)", "\x0b", "\x7f", "x".repeat(200)]))).join(c.pick([" ", " ", "  ", "\n ", "\n\t", "", " \n \n "])) + c.pick(["", "", " ", "\t", "\n "]);

// RFC 2045 §5.1, RFC 2231

const token = (c: Chance): string => c.pick(["x", "a-b", "a.b", "A1", "x_y", "'q'", "!#$%^&*"]);
const value = (c: Chance): string => (c.oneIn(2) ? quotedString(c) : wrong(c) ? c.pick(["", "a b", "a@b", "a/b", "=", "\"a\"b", "\xc3\xa4"]) : token(c));
const attribute = (c: Chance): string => c.pick(["name", "filename", "x", "type", "start", "FORMAT", "charset", "title"]);
const equals = (c: Chance): string => (c.oneIn(8) ? `${cfws(c)}=${cfws(c)}` : "=");
const extended = (c: Chance): string => c.pick(["utf-8''%C3%A4", "us-ascii'en'a%20b", "''x", "utf-8'de'", "ISO-8859-1''%e4", "x-none''%41", ...(wrong(c) ? ["no quotes", "utf-8'%C3%A4", "utf-8''%", "utf-8''%ZZ"] : [])]);

function continued(c: Chance): string[] {
  const name = attribute(c);
  const percent = c.oneIn(2);
  const segments = c.some(1, 4, () => "").map((_, n) => (percent && (n === 0 || c.oneIn(2)) ? `${name}*${n}*${equals(c)}${n === 0 ? extended(c) : c.pick(["%20b", "c", "%C3%A4"])}` : `${name}*${n}${equals(c)}${value(c)}`));
  if (c.oneIn(3)) segments.reverse();
  if (wrong(c)) segments.splice(c.below(segments.length), 1);
  return segments;
}

function params(c: Chance, first: readonly string[] = []): string {
  const all = [...first, ...c.some(0, 2, () => (c.oneIn(5) ? continued(c) : [c.oneIn(5) ? `${attribute(c)}*${equals(c)}${extended(c)}` : `${attribute(c)}${equals(c)}${value(c)}`])).flat()];
  for (let i = all.length - 1; i > 0; i--) {
    const j = c.below(i + 1);
    [all[i], all[j]] = [all[j] ?? "", all[i] ?? ""];
  }
  return all.map((p) => `${cfws(c)};${c.oneIn(4) ? cfws(c) : c.pick([" ", "\n ", "\n\t", ""])}${p}`).join("") + (c.oneIn(12) ? ";" : "") + cfws(c);
}

const typeField = (c: Chance, type: string, first: readonly string[] = []): string => {
  const [major = "", minor = ""] = type.split("/");
  return `${c.pick(["Content-Type", "Content-Type", "content-type", "CONTENT-TYPE"])}${c.oneIn(20) ? " " : ""}:${c.pick([" ", "", "\n ", "\t"])}${cfws(c)}${c.oneIn(6) ? major.toUpperCase() : major}${c.oneIn(12) ? cfws(c) : ""}/${c.oneIn(12) ? cfws(c) : ""}${minor}${params(c, first)}\n`;
};

/** The other fields of RFC 2045, 1864, 2183, 2557, 3282, some of them twice. */
function contentFields(c: Chance): string {
  const fields = [
    c.oneIn(2) ? `Content-Transfer-Encoding:${cfws(c)}${c.pick(["7bit", "8bit", "binary", "base64", "Quoted-Printable", "x-token", ...(wrong(c) ? ["", "7 bit", "base64;x=y", "\"base64\""] : [])])}${cfws(c)}\n` : "",
    c.oneIn(3) ? `Content-Disposition:${cfws(c)}${c.pick(["inline", "ATTACHMENT", "x-token", "form-data", ...(wrong(c) ? ["", "\"inline\"", "a b"] : [])])}${params(c, c.oneIn(2) ? [`${c.pick(["filename", "Filename"])}${equals(c)}${value(c)}`] : [])}\n` : "",
    c.oneIn(4) ? `Content-ID:${cfws(c)}${c.pick(["<a@b>", "<x@[y]>", ...(wrong(c) ? ["x", "<a@b> <c@d>", "a@b"] : [])])}${cfws(c)}\n` : "",
    c.oneIn(4) ? `Content-Description:${c.pick([" ", ""])}${unstructured(c)}\n` : "",
    c.oneIn(5) ? `Content-Language:${cfws(c)}${c.some(1, 3, () => c.pick(["en", "de-DE", "i-mingo", "x-a-b", "zh-Hant-TW", "*"])).join(`${cfws(c)},${cfws(c)}`)}${cfws(c)}\n` : "",
    c.oneIn(6) ? `Content-Location: ${c.pick(["http://example.org/a.html", "a%20b", "http://example.org/very/\n long/path", "=?utf-8?Q?a?=", "(c) x", "", "cid:x@y"])}\n` : "",
    c.oneIn(8) ? `Content-MD5: ${c.pick(["Q2hlY2sgSW50ZWdyaXR5IQ==", "(c) Q2hlY2s=", "", "a b"])}\n` : "",
    c.oneIn(6) ? `Content-${c.pick(["Base", "Features", "Duration", "X", "Class", "Alternative"])}: ${unstructured(c)}\n` : "",
  ].filter((f) => f !== "");
  if (fields.length > 0 && c.oneIn(12)) fields.push(c.pick(fields as [string, ...string[]]));
  return fields.join("");
}

// Bodies

const lines = (c: Chance): string =>
  c.some(0, 6, () => c.pick(["text", "", "", "-- ", "--", "--x", "From x", ".", "=20=", "=", "SGVsbG8=", "\xc3\xa4", "\xe4", "\x1b$BF|K\\8l\x1b(B", "\xd6\xd0\xce\xc4", "\xf0\xd2\xc9", "+AOQ-", "~{VPND~}", "\0", "a\rb", "\r", "Subject: x", "x".repeat(1200), "\t", "begin 644 x", "M".repeat(61)])).join("\n") + c.pick(["\n", "\n", "", "\r\n"]);

const charsets = ["us-ascii", "utf-8", "UTF-8", "iso-8859-1", "iso-2022-jp", "gb18030", "gb2312", "koi8-r", "koi8-u", "utf-7", "windows-1250", "windows-1251", "windows-1252", "x-unknown", "\"\"", "unicode-1-1-utf-7", "hz-gb-2312", "big5", "euc-kr", "shift_jis", "utf-16", "iso-8859-16", "macintosh"] as const;

/** RFC 3464, RFC 3798. */
const report = (c: Chance): string => c.some(1, 3, () => c.some(1, 3, () => c.pick(["Reporting-MTA: dns; mx.example.org", "Final-Recipient: rfc822;bob@example.org", "Action: failed", "Status: 5.1.1 (no such user)", "Disposition: manual-action/MDN-sent-manually;\n displayed", "Original-Message-ID: <x@y>"])).join("\n")).join("\n\n") + "\n";

/** bcharsnospace; some begin others, some end in what is trimmed, some can only be quoted, one is what only a quoted-pair can write. */
const boundaries = ["b", "bb", "b-", "b--", "b.c", "=_b", "b'()+_,-./:=?", "b c", "x y z", "-", "--", "----", "B", "0", "a\"b", "a\\b", "b ", "n".repeat(70), "n".repeat(71), "n".repeat(200), "\xc3\xa4"] as const;

const boundaryParam = (c: Chance, boundary: string): readonly string[] => {
  const quoted = `"${boundary.replaceAll(/["\\]/g, "\\$&")}"`;
  const written = /^[\w.'+-]+$/.test(boundary) && c.oneIn(2) ? boundary : quoted;
  if (c.oneIn(15) && /^[\w-]{2,}$/.test(boundary)) return [`boundary*1=${boundary.slice(1)}`, `boundary*0=${boundary.slice(0, 1)}`];
  return wrong(c) ? c.pick([[], [`boundary=${boundary}`], ["boundary"], [`boundary=${written}`, "boundary=other"], [`bound=${written}`]]) : [`${c.pick(["boundary", "Boundary", "BOUNDARY"])}${equals(c)}${written}`];
};

function multipart(c: Chance, depth: number): string {
  const boundary = c.pick(boundaries);
  const subtype = c.pick(["mixed", "alternative", "related", "digest", "digest", "report", "signed", "encrypted", "parallel", "form-data", "x-odd"]);
  const delimiter = `--${boundary.replace(/ +$/, "")}`;
  let out = `${typeField(c, `multipart/${subtype}`, boundaryParam(c, boundary))}${contentFields(c)}\n${c.oneIn(3) ? lines(c) : ""}`;
  for (let n = c.below(c.oneIn(10) ? 9 : 4); n > 0; n--) out += `${out.endsWith("\n") ? "" : "\n"}${delimiter}${c.oneIn(6) ? c.pick([" ", "\t ", "\r", " x", "-"]) : ""}\n${part(c, depth - 1)}`;
  if (!c.oneIn(5)) out += `${c.oneIn(4) ? "" : "\n"}${delimiter}--${c.pick(["\n", "\n", "", " \t\n", "-\n", "x\n"])}`;
  return c.oneIn(4) ? out + lines(c) : out;
}

/** MIME-part-headers [CRLF *OCTET]; also without the empty line, and with nothing in front of it. */
function part(c: Chance, depth: number): string {
  if (c.oneIn(12)) return c.pick([`\n${lines(c)}`, "\n", "", `${typeField(c, "text/html")}`, `X-Only: field\n\n${lines(c)}`, lines(c)]);
  switch (c.below(depth > 0 ? 10 : 5)) {
    case 0:
    case 1:
      return `${typeField(c, `text/${c.pick(["plain", "html", "x-diff", "calendar", "rfc822-headers"])}`, c.oneIn(2) ? [`charset${equals(c)}${c.pick(charsets)}`] : [])}${contentFields(c)}\n${lines(c)}`;
    case 2:
      return `${contentFields(c)}${typeField(c, c.pick(["application/octet-stream", "image/png", "audio/basic", "video/mpeg", "model/x", "font/woff", "x-a/x-b"]))}\n${lines(c)}`;
    case 3:
      return `${typeField(c, c.pick(["message/delivery-status", "message/disposition-notification", "message/partial", "message/external-body", "message/http", "message/global-headers", "message/x"]))}${contentFields(c)}\n${report(c)}`;
    case 4:
      return `${wrong(c) ? `Content-Type: ${c.pick(["", "text", "text/", "/plain", "text plain", "text/plain/x", "\"text\"/plain", "text;charset=x", "; charset=utf-8", "multipart", "multipart/mixed", "(c)"])}\n` : ""}${contentFields(c)}\n${lines(c)}`;
    case 5:
    case 6:
      return `${typeField(c, c.pick(["message/rfc822", "message/rfc822", "message/RFC822", "message/global", "message/news"]))}${contentFields(c)}\n${messageByGrammar(c, depth - 1)}`;
    default:
      return multipart(c, depth);
  }
}

/** A message of at most so many parts inside each other. */
export function messageByGrammar(c: Chance, depth = 4): string {
  const field = (chance: number, name: string, text: () => string): string => (c.oneIn(chance) ? `${c.oneIn(12) ? name.toUpperCase() : name}${c.oneIn(25) ? c.pick([" ", "\t", " \t "]) : ""}:${c.pick([" ", " ", "", "  ", "\n ", "\t"])}${text()}\n` : "");
  const fields = [
    field(1, "Date", () => date(c)), field(1, "From", () => (c.oneIn(3) ? addressList(c) : mailbox(c))), field(6, "Sender", () => mailbox(c)), field(5, "Reply-To", () => addressList(c)), field(1, "To", () => addressList(c)), field(3, "Cc", () => addressList(c)), field(8, "Bcc", () => addressList(c)),
    field(1, "Subject", () => unstructured(c)), field(2, "Message-ID", () => msgId(c)), field(4, "In-Reply-To", () => msgIds(c)), field(3, "References", () => msgIds(c)), field(3, "MIME-Version", () => c.pick(["1.0", "1.(c)0", "(c) 1.0", "1.0 (c)", "2.0", ""])),
    field(6, "To", () => addressList(c)), field(10, "From", () => mailbox(c)), field(10, "Subject", () => unstructured(c)), field(10, "Date", () => date(c)), field(8, "Keywords", () => phrase(c)), field(6, "Received", () => `from x${some(c)}by y;${date(c)}`), field(20, "X-Empty", () => ""),
    c.oneIn(25) ? c.pick(["no colon\n", ": no name\n", "From x@y Mon Jan  1 00:00:00 2024\n", " folded\n", "\xc3\xa4: x\n", "a b: c\n", "X-Nul: a\0b\n", "X-Cr: a\rb\n", ">From x\n", `${"y".repeat(2000)}: z\n`, `X-Long: ${"z ".repeat(2000)}\n`, " \n", "\r\r\n", "--b\n", "Subject\n :x\n"]) : "",
  ];
  for (let i = fields.length - 1; i > 0; i--) {
    const j = c.below(i + 1);
    [fields[i], fields[j]] = [fields[j] ?? "", fields[i] ?? ""];
  }
  const header = fields.join("");
  if (c.oneIn(30)) return c.pick([header, header.slice(0, -1), `\n${lines(c)}`, "", "\n", lines(c), `${header}\n`]);
  return header + part(c, depth);
}
