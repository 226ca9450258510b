// Runs the script as k6 would: `node run.js` with {env, files, answers, iterations} as its input.

import { readFileSync } from "node:fs";

import { notes } from "k6";
import exec from "k6/execution";
import { answers } from "k6/http";

const { env, files, answers: given, iterations } = JSON.parse(readFileSync(0, "utf8"));
globalThis.__ENV = env;
globalThis.open = (name) => files[name];
answers.push(...given);
const say = console.log;
const said = [];
console.log = (text) => said.push(text);

const script = await import("./booking.js");
const data = script.setup();
const thrown = [];
for (let number = 0; number < iterations; number += 1) {
  exec.scenario.iterationInTest = number;
  try {
    script.default(data);
  } catch (error) {
    thrown.push(error.message);
  }
}
say(JSON.stringify({ options: script.options, said, thrown, ...notes }));
