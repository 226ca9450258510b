#!/usr/bin/env bash
# Refuses a version that isn't built on what serves: of two releases the later may be approved first.
set -euo pipefail

if [[ $# -ne 1 || ! $1 =~ ^[0-9a-f]{40}$ ]]; then
  echo "Usage: check-forward.sh COMMIT, of 40 digits, in a checkout with its history; kubectl points to the cluster." >&2
  exit 2
fi
version=$1
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# The release `routing` says which slot of each service serves; the other may hold what failed.
slots=$(helm get values routing --namespace ubertruck --all --output json | python3 -c '
import json, sys
for name, service in json.load(sys.stdin)["services"].items():
    print("deployment/" + name + "-" + service["active"])')
for slot in $slots; do
  image=$(kubectl --namespace ubertruck get "$slot" --output 'jsonpath={.spec.template.spec.containers[0].image}')
  serving=${image%@*} serving=${serving##*:}
  if ! git merge-base --is-ancestor "$serving" "$version"; then
    echo "check-forward.sh: $serving serves, and $version isn't built on it: start the workflow Deploy by hand to go back." >&2
    exit 1
  fi
done
