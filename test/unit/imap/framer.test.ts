import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Framer, type Frame, type FramerLimits } from "../../../src/imap/framer.ts";

const limits: FramerLimits = { line: 100, literals: 5, literal: (text) => (text.toString("latin1").includes("APPEND") ? 1000 : 20), skip: 5000 };

function framesOf(input: string | Buffer, chunk: number, within: FramerLimits = limits): Frame[] {
  const octets = Buffer.isBuffer(input) ? input : Buffer.from(input, "latin1");
  const framer = new Framer(within);
  const found: Frame[] = [];
  for (let at = 0; at < octets.length; at += chunk) {
    framer.push(octets.subarray(at, at + chunk));
    for (let f = framer.next(); f !== undefined; f = framer.next()) {
      found.push(f);
      if (f.kind === "lost") return found;
    }
  }
  return found;
}

const shown = (frames: readonly Frame[]): string[] =>
  frames.map((f) => {
    if (f.kind === "command") return `${f.text.toString("latin1")}${f.literals.map((l) => `|${l.toString("latin1")}`).join("")}`;
    return f.kind === "refused" ? `refused ${f.tag ?? "-"} ${f.why}` : f.kind;
  });

/** The same frames whatever the chunks. */
function check(name: string, input: string, expected: string[]): void {
  test(name, () => {
    for (const chunk of [input.length, 1, 2, 3, 7]) assert.deepEqual(shown(framesOf(input, chunk)), expected, `chunks of ${chunk}`);
  });
}

check("lines, with CRLF and with LF alone", "a NOOP\r\nb NOOP\nc NOOP\r\n", ["a NOOP", "b NOOP", "c NOOP"]);
check("an empty line is an empty command", "\r\na NOOP\r\n", ["", "a NOOP"]);
check("a synchronising literal asks first", "a LOGIN {5}\r\nalice {2+}\r\npw\r\n", ["continue", "a LOGIN {5}\r\n {2+}\r\n|alice|pw"]);
check("a literal that looks like commands stays a literal", "a APPEND x {20+}\r\nb LOGOUT\r\nc {5}\r\nd\r\n\r\ne NOOP\r\n", ["a APPEND x {20+}\r\n|b LOGOUT\r\nc {5}\r\nd\r\n", "e NOOP"]);
check("empty literals", "a LOGIN {0}\r\n {0+}\r\n\r\n", ["continue", "a LOGIN {0}\r\n {0+}\r\n||"]);
check("a long line is dropped and the next is read", `a ${"x".repeat(200)}\r\nb NOOP\r\n`, ["refused a line", "b NOOP"]);
check("a long line without a tag", `${"(".repeat(200)}\r\nb NOOP\r\n`, ["refused - line", "b NOOP"]);
check("a literal of a dropped line is thrown away", `a ${"x".repeat(200)} {10+}\r\nb NOOP\r\nc \r\nd NOOP\r\n`, ["refused a line", "d NOOP"]);
check("a client that waits for a dropped line's literal does not send it", `a ${"x".repeat(200)} {10}\r\nb NOOP\r\n`, ["refused a line", "b NOOP"]);
check("a synchronising literal too large is not asked for", "a LOGIN {21}\r\nb NOOP\r\n", ["refused a literal", "b NOOP"]);
check("a non-synchronising literal too large is thrown away", `a LOGIN {21+}\r\n${"y".repeat(21)} {3+}\r\nabc\r\nb NOOP\r\n`, ["refused a literal", "b NOOP"]);
check("literals of one command count together", `a LOGIN {12+}\r\n${"y".repeat(12)} {12+}\r\n${"z".repeat(12)}\r\nb NOOP\r\n`, ["refused a literal", "b NOOP"]);
check("too many literals", `a X${" {0+}\r\n".repeat(6)}\r\nb NOOP\r\n`, ["refused a literal", "b NOOP"]);
check("a literal beyond all measure loses the connection", "a LOGIN {5001+}\r\nxxx\r\nb NOOP\r\n", ["refused a literal", "lost"]);
check("a number no octet count can be", "a LOGIN {99999999999999999999+}\r\nb NOOP\r\n", ["refused a literal", "lost"]);
check("braces that are no literal", "a X {5\r\nb X 5}\r\nc X {a}\r\nd X {}\r\ne X {+}\r\n", ["a X {5", "b X 5}", "c X {a}", "d X {}", "e X {+}"]);

test("what is behind a frame stays untouched until it is asked for", () => {
  const framer = new Framer(limits);
  framer.push(Buffer.from("a STARTTLS\r\nb LOGIN x y\r\nc {"));
  assert.deepEqual(shown([framer.next() as Frame]), ["a STARTTLS"]);
  assert.equal(framer.rest().toString(), "b LOGIN x y\r\nc {");
  assert.equal(framer.next(), undefined);
  framer.push(Buffer.from("d NOOP\r\n"));
  assert.deepEqual(shown([framer.next() as Frame]), ["d NOOP"]);
});

test("frames handed out do not change when more comes", () => {
  const framer = new Framer(limits);
  framer.push(Buffer.from("a NO"));
  framer.push(Buffer.from("OP\r\nb X"));
  const first = framer.next();
  framer.push(Buffer.from("YZ\r\ncccccccccccccccccccc\r\n"));
  framer.next();
  assert.deepEqual(shown([first as Frame]), ["a NOOP"]);
});

test("any commands, in any chunks, come out as they went in", () => {
  const literal = fc.uint8Array({ maxLength: 60 }).map((o) => Buffer.from(o));
  const line = fc.string({ unit: fc.constantFrom(..."abc 123()\"\\*%{}+"), maxLength: 20 }).filter((t) => !/\{\d+\+?\}$/.test(t));
  const command = fc.tuple(line, fc.array(fc.tuple(literal, fc.boolean(), line), { maxLength: 3 }));
  const wide: FramerLimits = { line: 10_000, literals: 10, literal: () => 10_000, skip: 10_000 };
  fc.assert(
    fc.property(fc.array(command, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (commands, chunk) => {
      const input: Buffer[] = [];
      const expected: string[] = [];
      for (const [first, parts] of commands) {
        let text = first;
        input.push(Buffer.from(first, "latin1"));
        for (const [octets, waits, rest] of parts) {
          const header = `{${octets.length}${waits ? "" : "+"}}\r\n`;
          if (waits) expected.push("continue");
          text += header + rest;
          input.push(Buffer.from(header), octets, Buffer.from(rest, "latin1"));
        }
        input.push(Buffer.from("\r\n"));
        expected.push(`${text}${parts.map(([o]) => `|${o.toString("latin1")}`).join("")}`);
      }
      assert.deepEqual(shown(framesOf(Buffer.concat(input), chunk, wide)), expected);
    }),
    { numRuns: 300 },
  );
});

test("rubbish never throws, and a command behind it is found", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 40 }), (rubbish, chunk) => {
      const frames = framesOf(Buffer.concat([Buffer.from(rubbish), Buffer.from("\r\nz1 NOOP\r\n")]), chunk);
      assert.ok(frames.length > 0);
      for (const f of frames) if (f.kind === "command") assert.ok(f.text.length <= limits.line + 2);
    }),
    { numRuns: 300 },
  );
});
