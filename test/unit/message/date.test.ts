import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dayOf, formatAsctime, formatDate, formatInternalDate, parseDate, parseDay, parseInternalDate } from "../../../src/message/date.ts";

const utc = (iso: string): number => Date.parse(iso);

test("Date: fields, current and obsolete (RFC 5322 §3.3, §4.3, §A)", () => {
  const cases: Readonly<Record<string, readonly [string, number]>> = {
    "Fri, 21 Nov 1997 09:55:06 -0600": ["1997-11-21T15:55:06Z", -360],
    "21 Nov 97 09:55:06 GMT": ["1997-11-21T09:55:06Z", 0],
    "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)": ["1969-02-14T03:02:00Z", -210],
    "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600": ["1997-11-21T15:55:06Z", -360],
    "1 Jan 49 00:00 EST": ["2049-01-01T05:00:00Z", -300],
    "1 Jan 50 00:00 PDT": ["1950-01-01T07:00:00Z", -420],
    "Mon, 01 Jan 100 00:00:00 Z": ["2000-01-01T00:00:00Z", 0],
    "Sun Nov  6 08:49:37 1994": ["1994-11-06T08:49:37Z", 0],
    "Sun Nov  6 08:49:37 EST 1994": ["1994-11-06T13:49:37Z", -300],
    "6-Nov-1994 08:49:37 +0100": ["1994-11-06T07:49:37Z", 60],
    "1 Jan 2020 00:00:00 A": ["2020-01-01T00:00:00Z", 0],
    "31 Dec 2016 23:59:60 +0000": ["2016-12-31T23:59:59Z", 0],
    "Tue, 1 Jul 2003 10:52:37 XYZ": ["2003-07-01T10:52:37Z", 0],
    "Tue, 1 Jul 2003 10:52:37": ["2003-07-01T10:52:37Z", 0],
    "Tuesday, 1 July 2003 10:52:37 +0000": ["2003-07-01T10:52:37Z", 0],
  };
  for (const [text, [iso, offset]] of Object.entries(cases)) assert.deepEqual(parseDate(text), { time: utc(iso), offset }, text);
});

test("what is no date is none", () => {
  for (const text of ["", "yesterday", "32 Jan 2000 00:00:00 +0000", "29 Feb 2001 00:00:00 +0000", "1 Foo 2000 00:00:00", "1 Jan 2000 25:00:00", "Wed 29 May 2019 06:09:22 PM EDT", "1 Jan 2000 00:60:00", "Mon,", "(((((", "1".repeat(100_000)]) {
    assert.equal(parseDate(text), undefined, text.slice(0, 40));
  }
});

const time = fc.integer({ min: utc("1000-01-02T00:00:00Z") / 1000, max: utc("9999-12-30T00:00:00Z") / 1000 }).map((s) => s * 1000);
const offset = fc.integer({ min: -719, max: 840 });

test("dates go round", () => {
  fc.assert(
    fc.property(time, offset, (t, o) => {
      assert.deepEqual(parseDate(formatDate(t, o)), { time: t, offset: o });
      assert.deepEqual(parseInternalDate(formatInternalDate(t, o)), { time: t, offset: o });
      assert.deepEqual(parseDate(formatAsctime(t)), { time: t, offset: 0 });
    }),
  );
});

test("wording", () => {
  const t = utc("2026-11-01T05:04:03Z");
  assert.equal(formatDate(t, 60), "Sun, 1 Nov 2026 06:04:03 +0100");
  assert.equal(formatDate(t, -210), "Sun, 1 Nov 2026 01:34:03 -0330");
  assert.equal(formatInternalDate(t), " 1-Nov-2026 05:04:03 +0000");
  assert.equal(formatAsctime(t), "Sun Nov  1 05:04:03 2026");
});

test("IMAP date-time and date (RFC 3501 §9)", () => {
  assert.equal(parseInternalDate("17-Jul-1996 02:44:25 -0700")?.time, utc("1996-07-17T09:44:25Z"));
  assert.equal(parseInternalDate("1-Jul-1996 02:44:25 -0700")?.time, utc("1996-07-01T09:44:25Z"), "without the space of date-day-fixed, as Dovecot takes it");
  assert.equal(parseInternalDate("17-Jul-96 02:44:25 -0700"), undefined);
  assert.equal(parseInternalDate("31-Feb-1996 02:44:25 -0700"), undefined);
  assert.equal(parseDay("1-Feb-1994"), utc("1994-02-01T00:00:00Z"));
  assert.equal(parseDay("30-Feb-1994"), undefined);
  assert.equal(parseDay("1-Feb-94"), undefined);
  assert.equal(dayOf({ time: utc("1994-02-01T23:30:00Z"), offset: 60 }), utc("1994-02-02T00:00:00Z"));
  assert.equal(dayOf({ time: utc("1969-12-31T23:30:00Z"), offset: 0 }), utc("1969-12-31T00:00:00Z"));
});
