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

# Only the slot that serves has workers. A cluster without any has nothing to go back from.
images=$(kubectl --namespace ubertruck get pods --selector app.kubernetes.io/component=worker \
  --output 'jsonpath={.items[*].spec.containers[?(@.name=="worker")].image}')
for image in $images; do
  serving=${image%@*} serving=${serving##*:}
  if ! git merge-base --is-ancestor "$serving" "$version"; then
    echo "check-forward.sh: $serving serves, and $version isn't built on it: start the workflow Deploy by hand to go back." >&2
    exit 1
  fi
done
