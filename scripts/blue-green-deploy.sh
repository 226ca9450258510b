#!/usr/bin/env bash
# Every service of an environment gets a version, blue-green, by way of `ubertruck rollout`.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: blue-green-deploy.sh --environment dev|staging|production --version COMMIT [--rollback-on-failure]

Rolls COMMIT out to all services, in the cluster that kubectl points to. The exit code is 0 once the
new version serves, 1 when it doesn't, 2 for wrong arguments.

  --rollback-on-failure   take every request back when anything is wrong; without it, the rollout
                          stops where it is and waits for `ubertruck rollout resume` or `abort`
TEXT
}
