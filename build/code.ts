/**
 * What V8 has compiled of a bundle, so that it need not do so at each start:
 *
 *   node --single-threaded build/code.ts BUNDLE CODE
 *
 * V8 takes it from the same version with the same flags only, and compiles anew otherwise.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

const [bundle = "", code = ""] = process.argv.slice(2);
// All of it, not what runs first.
setFlagsFromString("--no-lazy");
const script = new Script(readFileSync(bundle, "latin1"), { filename: bundle });
setFlagsFromString("--lazy");
writeFileSync(code, script.createCachedData());
