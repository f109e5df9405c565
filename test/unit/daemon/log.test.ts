import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { getSystemErrorMessage, getSystemErrorName } from "node:util";
import { describeFault, printable } from "../../../src/daemon/log.ts";

test("nothing from outside can break a line or drive a terminal", () => {
  assert.equal(printable("a\r\nb\u001b[31m\u009b"), "a\\x0d\\x0ab\\x1b[31m\\x9b");
  assert.equal(printable("\u202eevil\u2028"), "\\u{202e}evil\\u{2028}");
  assert.equal(printable("Grüße"), "Grüße");
  assert.equal(printable("x".repeat(600)).length, 515);
});

test("a quota that is used up has its name, which Node does not know", () => {
  const number = -constants.errno.EDQUOT;
  const fault = Object.assign(new Error(`${getSystemErrorName(number)}: ${getSystemErrorMessage(number) ?? ""}, write`), { errno: number });
  assert.equal(describeFault(new Error("queue file", { cause: fault })), "queue file (EDQUOT: disk quota exceeded, write)");
  assert.match(describeFault(fault, true), /^Error: EDQUOT: disk quota exceeded, write at /);
});

test("a fault is one line with its cause", () => {
  assert.equal(describeFault(new Error("can not write", { cause: new Error("ENOSPC\nx") })), "can not write (ENOSPC\\x0ax)");
});
