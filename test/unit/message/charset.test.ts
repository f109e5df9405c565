import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCharset, decodeWords, knownCharset, partText, searchable, searchablePart } from "../../../src/message/text.ts";
import { scanMime } from "../../../src/message/mime.ts";

/** Name as mail has it, text, and its octets in hexadecimal as Python's codecs write them. */
const texts: readonly (readonly [string, string, string])[] = [
  ["windows-1250", "Žluťoučký kůň", "8e6c759d6f75e86bfd206bf9f2"],
  ["windows-1251", "Привет", "cff0e8e2e5f2"],
  ["cp1252", "€uro “quoted”", "8075726f209371756f74656494"],
  ["windows-1253", "Καλημέρα", "cae1ebe7ecddf1e1"],
  ["windows-1254", "Iğdır", "49f064fd72"],
  ["windows-1255", "שלום", "f9ece5ed"],
  ["windows-1256", "سلام", "d3e1c7e3"],
  ["windows-1257", "Žemaitė", "de656d616974eb"],
  ["windows-1258", "Đô", "d0f4"],
  ["ISO-8859-2", "Łódź", "a3f364bc"],
  ["iso-8859-3", "Ħaġar", "a161f56172"],
  ["iso-8859-4", "Ķīna", "d3ef6e61"],
  ["iso-8859-5", "Привет", "bfe0d8d2d5e2"],
  ["iso-8859-6", "سلام", "d3e4c7e5"],
  ["iso-8859-7", "Καλημέρα", "cae1ebe7ecddf1e1"],
  ["iso-8859-8-i", "שלום", "f9ece5ed"],
  ["latin5", "Iğdır", "49f064fd72"],
  ["iso-8859-10", "Ŋŋ", "afbf"],
  ["tis-620", "สวัสดี", "cac7d1cab4d5"],
  ["iso-8859-13", "Žemaitė", "de656d616974eb"],
  ["iso-8859-14", "Ŵŵ", "d0f0"],
  ["iso_8859-15", "€uro", "a475726f"],
  ["iso-8859-16", "Șș", "aaba"],
  ["KOI8-R", "Привет", "f0d2c9d7c5d4"],
  ["koi8-u", "Київ є", "ebc9a7d720a4"],
  ["gb2312", "中文邮件", "d6d0cec4d3cabcfe"],
  ["gbk", "繁體中文", "b7b1f377d6d0cec4"],
  ["gb18030", "中文𠀀", "d6d0cec495328236"],
  ["big5", "繁體中文", "c163c5e9a4a4a4e5"],
  ["euc-kr", "안녕하세요", "bec8b3e7c7cfbcbcbfe4"],
  ["ks_c_5601-1987", "안녕하세요", "bec8b3e7c7cfbcbcbfe4"],
  ["Shift_JIS", "テスト日本語", "83658358836793fa967b8cea"],
  ["cp932", "テスト①", "8365835883678740"],
  ["euc-jp", "日本語", "c6fccbdcb8ec"],
  ["iso-2022-jp", "日本語 abc テスト", "1b2442467c4b5c386c1b284220616263201b24422546253925481b2842"],
  ["iso-2022-kr", "안녕 abc 하세요", "1b2429430e3e4833670f20616263200e474f3c3c3f640f"],
  ["hz-gb-2312", "中文 abc ~ 邮件", "7e7b56504e447e7d20616263207e7e207e7b534a3c7e7e7d"],
  ["utf-7", "Hi Mom -☺-! A≢Α. 日本語 + a", "4869204d6f6d202d2b4a6a6f2d2d2120412b496d49446b512e202b5a65566e4c497165202b2d2061"],
  ["cp437", "Ünïcode ░", "9a6e8b636f646520b0"],
  ["ibm850", "Ünïcode ¾", "9a6e8b636f646520f3"],
  ["cp-852", "Łódź", "9da264ab"],
  ["macintosh", "café", "6361668e"],
];

for (const [charset, text, hex] of texts) {
  test(`charset ${charset}`, () => {
    const octets = Buffer.from(hex, "hex");
    assert.equal(decodeCharset(octets, charset), text);
    assert.ok(knownCharset(charset));
    assert.equal(decodeWords(Buffer.from(`=?${charset}?B?${octets.toString("base64")}?=`)), text);
    const message = Buffer.concat([Buffer.from(`Content-Type: text/plain; charset="${charset}"\r\nContent-Transfer-Encoding: base64\r\n\r\n`), Buffer.from(octets.toString("base64"))]);
    assert.equal(partText(message, scanMime(message)), text);
    assert.equal(searchablePart(message, scanMime(message)), searchable(text));
  });
}

test("examples of RFC 2152, RFC 1843", () => {
  const read = (text: string, charset: string): string => decodeCharset(Buffer.from(text, "latin1"), charset);
  assert.equal(read("A+ImIDkQ.", "utf-7"), "A\u2262\u0391.");
  assert.equal(read("Hi Mom -+Jjo--!", "UNICODE-1-1-UTF-7"), "Hi Mom -\u263a-!");
  assert.equal(read("+ZeVnLIqe-", "utf-7"), "\u65e5\u672c\u8a9e");
  assert.equal(read("Item 3 is +AKM-1.", "utf-7"), "Item 3 is £1.");
  assert.equal(read("1 +- 1, +A, +AK", "utf-7"), "1 + 1, , ", "what is no whole character is none");
  assert.equal(read("This sentence has no GB.\n~{<:Ky2;S{#,NpJ)l6HK!#~}Bye.", "hz-gb-2312"), "This sentence has no GB.\n己所不欲，勿施於人。Bye.");
  assert.equal(read("a ~~ b ~\nc", "hz-gb-2312"), "a ~ b c");
});

test("names as they come", () => {
  for (const name of ["'utf-8'", " UTF-8 ", "win-1251", "windows_1251", "ansi-1252", "8859_1", "ISO8859-15", "iso_8859-2", "latin-9", "Latin1", "ibm437", "UHC"]) assert.ok(knownCharset(name), name);
  for (const name of ["x-unknown", "unknown-8bit", "", "utf-9", "windows-1259", "x".repeat(10_000)]) assert.ok(!knownCharset(name), name.slice(0, 20));
});

test("octets that no charset has neither throw nor take long", () => {
  const octets = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 256));
  for (const name of ["utf-7", "hz-gb-2312", "iso-2022-kr", "iso-2022-jp", "gb18030", "big5", "cp437"]) {
    assert.equal(typeof decodeCharset(octets, name), "string");
    for (const text of ["+", "~{", "~{a", "\x0e", "+A", "~"]) decodeCharset(Buffer.from(text.repeat(200_000), "latin1"), name);
  }
});

test("UTF-16 in both orders: RFC 2781 §4.3", () => {
  for (const octets of ["feff00e40062", "fffee4006200", "00e40062"]) assert.equal(decodeCharset(Buffer.from(octets, "hex"), "UTF-16"), "\u00e4b", octets);
});
