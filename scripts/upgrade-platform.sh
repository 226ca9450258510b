#!/usr/bin/env bash
# The release `platform` (edge, network policies, what is the mesh's) as this checkout has it, in the
# cluster that kubectl points to. Whatever goes wrong leaves the release before it.
set -euo pipefail

environment=${1:-}
if [[ $# -ne 1 || ! $environment =~ ^(dev|staging|production)$ ]]; then
  echo "Usage: upgrade-platform.sh dev|staging|production" >&2
  exit 2
fi
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec helm upgrade --install platform helm/platform --namespace ubertruck \
  --values helm/values/global.yaml \
  --values "helm/values/$environment/global.yaml" \
  --values "helm/platform/values-$environment.yaml" \
  --rollback-on-failure --timeout 15m
