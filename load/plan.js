// What the load test does, as plain data and functions: nothing here needs k6.

// Arrivals a second, reached by the end of each stage. The specification's load.
const FULL = [
  { duration: "5m", target: 100 },
  { duration: "10m", target: 1000 },
  { duration: "5m", target: 2000 },
  { duration: "10m", target: 2000 },
  { duration: "5m", target: 0 },
];

// The same shape for one machine that runs everything, this included: three minutes.
const SMALL = [
  { duration: "30s", target: 0.05 },
  { duration: "60s", target: 0.5 },
  { duration: "20s", target: 1 },
  { duration: "60s", target: 1 },
  { duration: "10s", target: 0 },
];
const SMALL_PEAK = 400;

// The edge lets one client book 50 times a second, so some room is left below that.
const PER_CLIENT = 40;
const SLOW_SECONDS = 0.2;
const PATIENT_SECONDS = 1;

const PLACES = [
  [23.7957, 86.4304, "Jharia coalfield, Dhanbad"],
  [22.5726, 88.3639, "Budge Budge power station, Kolkata"],
  [21.2514, 81.6296, "Siltara industrial area, Raipur"],
  [21.1458, 79.0882, "Butibori industrial area, Nagpur"],
  [15.1394, 76.9214, "Donimalai mine, Ballari"],
  [28.6139, 77.209, "Okhla cement depot, New Delhi"],
  [19.076, 72.8777, "Sewri godown, Mumbai"],
];
const MATERIALS = ["coal", "iron_ore", "limestone", "fertilizer", "grain", "sand"];
const QUANTITIES = [1, 12.5, 27, 96, 120.5, 333.333, 500, 1000];

// The stages of a profile for so many clients. Throws when they are too few for it.
export function stagesOf(profile, clients) {
  if (profile === "full") {
    const needed = Math.ceil(peakOf(FULL) / PER_CLIENT);
    if (clients < needed) {
      throw new Error(`The full load needs ${needed} clients or more; there are ${clients}.`);
    }
    return FULL;
  }
  if (profile === "small") {
    const peak = Math.min(SMALL_PEAK, PER_CLIENT * clients);
    return SMALL.map(({ duration, target }) => ({ duration, target: Math.round(peak * target) }));
  }
  throw new Error(`PROFILE is "full" or "small", not "${profile}".`);
}

// The k6 scenario of these stages: requests start at their times, however slow the answers are.
export function scenarioOf(stages) {
  const peak = peakOf(stages);
  return {
    executor: "ramping-arrival-rate",
    startRate: 0,
    timeUnit: "1s",
    stages,
    preAllocatedVUs: Math.ceil(peak * SLOW_SECONDS),
    maxVUs: Math.ceil(peak * PATIENT_SECONDS),
    gracefulStop: "30s",
  };
}

// What must hold in the end. One in a thousand may fail, or not be sent at all.
export function thresholdsOf(stages) {
  return {
    "http_req_duration{name:booking}": ["p(99)<200"],
    errors: ["rate<0.001", { threshold: "rate<0.2", abortOnFail: true, delayAbortEval: "30s" }],
    dropped_iterations: [`count<${Math.ceil(arrivalsOf(stages) / 1000)}`],
  };
}

// How many requests the stages have: between two targets the rate rises or falls evenly.
export function arrivalsOf(stages) {
  let rate = 0;
  let sum = 0;
  for (const { duration, target } of stages) {
    sum += (secondsOf(duration) * (rate + target)) / 2;
    rate = target;
  }
  return sum;
}

// Clients from text: a JSON list of {"username", "password"}, or tokens, one a line or by commas.
export function clientsOf(text) {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) {
    return JSON.parse(trimmed).map(({ username, password }) => ({ username, password }));
  }
  return trimmed
    .split(/[\s,]+/)
    .filter((token) => token !== "")
    .map((token) => ({ token }));
}

// Who sends booking `number`. A login belongs to one virtual user; tokens go round evenly.
export function clientFor(clients, number, virtualUser) {
  const turn = clients[0].token ? number : virtualUser;
  return clients[turn % clients.length];
}

// The body of booking `number`; they repeat after 168.
export function bodyOf(number) {
  const from = number % PLACES.length;
  const to = (from + 1 + (Math.floor(number / PLACES.length) % (PLACES.length - 1))) % PLACES.length;
  return {
    pickup_location: locationOf(PLACES[from]),
    drop_location: locationOf(PLACES[to]),
    material_type: MATERIALS[number % MATERIALS.length],
    quantity_mt: QUANTITIES[number % QUANTITIES.length],
  };
}

// The checks of an answer, by name. `booking` is its body, or an empty object.
export const CHECKS = {
  "it is accepted": ({ status }) => status === 200,
  "it has a booking_id": ({ booking }) => /^[0-9a-f-]{36}$/.test(booking.booking_id),
  "it has a price": ({ booking }) => isPrice(booking.price),
  "it is of what was asked": ({ booking, asked }) => booking.quantity_mt === asked.quantity_mt,
};

function isPrice(price) {
  return !!price && price.currency === "INR" && Number.isInteger(price.amount) && price.amount > 0;
}

function peakOf(stages) {
  return Math.max(...stages.map(({ target }) => target));
}

function secondsOf(duration) {
  const [, number, unit] = /^(\d+)([ms])$/.exec(duration);
  return Number(number) * (unit === "m" ? 60 : 1);
}

function locationOf([lat, lng, address]) {
  return { lat, lng, address };
}
