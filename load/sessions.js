// The token that a virtual user sends: as it was given, or from a login that is kept alive.

import http from "k6/http";

const SPARE_SECONDS = 120;
const JSON_HEADERS = { "Content-Type": "application/json" };

let session = null;

// A token of this client that is good for a while. Throws when the platform gives none.
export function tokenOf(client, url) {
  if (client.token) {
    return client.token;
  }
  if (session === null || Date.now() > session.renewAt) {
    session = renewed(client, url);
  }
  return session.token;
}

function renewed(client, url) {
  const answer =
    (session && asked(`${url}/auth/refresh`, { refresh_token: session.refresh })) ||
    asked(`${url}/auth/login`, { username: client.username, password: client.password });
  if (!answer) {
    throw new Error(`${client.username} can't log in.`);
  }
  return {
    token: answer.access_token,
    refresh: answer.refresh_token,
    renewAt: Date.now() + (answer.expires_in - SPARE_SECONDS) * 1000,
  };
}

function asked(address, body) {
  const answer = http.post(address, JSON.stringify(body), {
    headers: JSON_HEADERS,
    tags: { name: "login" },
  });
  const document = answer.status === 200 ? answer.json() : {};
  return document.access_token ? document : null;
}
