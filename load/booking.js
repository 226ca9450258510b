// Bookings at a given arrival rate, for k6. README.md says how to run it.

import { check } from "k6";
import { SharedArray } from "k6/data";
import exec from "k6/execution";
import http from "k6/http";
import { Rate } from "k6/metrics";

import {
  CHECKS,
  bodyOf,
  clientFor,
  clientsOf,
  scenarioOf,
  stagesOf,
  thresholdsOf,
} from "./plan.js";
import { tokenOf } from "./sessions.js";

const url = (__ENV.URL || "http://127.0.0.1:8080").replace(/\/+$/, "");
const clients = new SharedArray("clients", () =>
  clientsOf(__ENV.CLIENTS_FILE ? open(__ENV.CLIENTS_FILE) : __ENV.TOKENS || ""),
);
if (clients.length === 0) {
  throw new Error("No clients: name a file in CLIENTS_FILE, or give tokens in TOKENS.");
}
const stages = stagesOf(__ENV.PROFILE || "small", clients.length);
const errors = new Rate("errors");

export const options = {
  scenarios: { booking: scenarioOf(stages) },
  thresholds: thresholdsOf(stages),
  summaryTrendStats: ["med", "p(95)", "p(99)", "p(99.9)", "max"],
};

// Once a run: keys of two runs differ, and those of one run can be found by their beginning.
export function setup() {
  const run = `load-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  console.log(`The keys of this run begin with ${run}.`);
  return { run };
}

export default function book({ run }) {
  const number = exec.scenario.iterationInTest;
  let good = false;
  try {
    good = booked(bodyOf(number), `${run}-${number}`, clientFor(clients, number, exec.vu.idInTest));
  } finally {
    errors.add(!good);
  }
}

function booked(asked, key, client) {
  const answer = http.post(`${url}/v1/booking`, JSON.stringify(asked), {
    headers: {
      Authorization: `Bearer ${tokenOf(client, url)}`,
      "Content-Type": "application/json",
      "Idempotency-Key": key,
    },
    tags: { name: "booking" },
    timeout: "10s",
  });
  return check({ status: answer.status, booking: documentOf(answer), asked }, CHECKS);
}

function documentOf(answer) {
  try {
    return answer.json() || {};
  } catch (error) {
    return {};
  }
}
