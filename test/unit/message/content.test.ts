import assert from "node:assert/strict";
import { test } from "node:test";
import { contentDisposition, contentEncoding, contentLanguage, contentType, param } from "../../../src/message/content.ts";
import { paramText } from "../../../src/message/text.ts";

const params = (value: string): string[] => (contentType(value)?.params ?? []).map((p) => `${p.name}=${p.value}`);

test("Content-Type", () => {
  assert.deepEqual(contentType('text/plain; charset="utf-8"'), { type: "text", subtype: "plain", params: [{ name: "charset", value: "utf-8" }] });
  assert.equal(contentType("text / HTML (comment)")?.subtype, "HTML");
  assert.equal(contentType("garbage"), undefined);
  assert.equal(contentType("text/"), undefined);
  assert.equal(contentType(""), undefined);
  assert.deepEqual(params("text/plain;; charset=utf-8;"), ["charset=utf-8"]);
  assert.deepEqual(params('a/b; x="q\\"u\\\\o"; y = z (c) ; n=a@b/c?d=e'), ['x=q"u\\o', "y=z", "n=a@b/c?d=e"]);
  assert.deepEqual(params('a/b; x="not closed'), ["x=not closed"]);
  assert.deepEqual(params("a/b; x; y=1"), ["y=1"]);
});

test("RFC 2231 continuations become one parameter", () => {
  assert.deepEqual(params("a/b; url*0=ftp://; url*1=\"cs.utk.edu/x\""), ["url=ftp://cs.utk.edu/x"]);
  assert.deepEqual(params("a/b; t*1=def; t*0=abc"), ["t=abcdef"]);
  assert.deepEqual(params("a/b; t*0*=us-ascii'en'This%20is; t*1*=%20fun; t*2=\" isn't it\""), ["t*=us-ascii'en'This%20is%20fun%20isn%27t%20it"]);
  assert.deepEqual(params("a/b; t*0=abc; t*2=def"), ["t*0=abc", "t*2=def"]);
  assert.equal(paramText(contentType("a/b; t*0*=us-ascii'en'This%20is; t*1*=%20fun; t*2=\" isn't it\"")?.params ?? [], "t"), "This is fun isn't it");
  assert.equal(paramText(contentType("a/b; n*=iso-8859-1''%E4%F6.txt")?.params ?? [], "n"), "äö.txt");
  assert.equal(paramText(contentType('a/b; n="=?utf-8?B?w6Q=?="')?.params ?? [], "n"), "ä");
});

test("the other fields", () => {
  assert.deepEqual(contentDisposition('attachment; filename="a b"'), { type: "attachment", params: [{ name: "filename", value: "a b" }] });
  assert.equal(contentDisposition("  "), undefined);
  assert.equal(contentEncoding("(c) Base64 (d)"), "Base64");
  assert.equal(contentEncoding(""), undefined);
  assert.deepEqual(contentLanguage("en, de-DE (c), ,fr"), ["en", "de-DE", "fr"]);
  assert.equal(param(contentType("a/b; CharSet=x")?.params ?? [], "charset"), "x");
});

test("a value of a million characters takes no long time, whatever it is made of", () => {
  for (const text of ["(", "()", ";", "a=", '"', "\\", "x;y=(", "a*0=b;"]) contentType(`text/plain${text.repeat(200_000)}`);
});
