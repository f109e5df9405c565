import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKeys, readTextMap } from "../../../src/table/map.ts";

test("key value lines", () => {
  const faults: number[] = [];
  const map = readTextMap(["# c", "Example.ORG  smtp:[host]:25", " more", "", "alone", "example.org other"], (line) => faults.push(line));
  assert.deepEqual([...map], [["example.org", "smtp:[host]:25 more"]]);
  assert.deepEqual(faults, [5]);
});

test("look-up keys, most specific first", () => {
  assert.deepEqual(addressKeys("A@mail.Example.org"), ["a@mail.example.org", "mail.example.org", ".example.org", ".org", "*"]);
});
