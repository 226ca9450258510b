#!/usr/bin/env bash
# An empty cluster's API server takes everything that the charts of dev render without a mesh: its own
# schemas, defaults and admission, with nothing created but namespaces. The cluster is the one that
# kubectl points to.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# A commit and a revision, as a release has them.
slot="colours.blue.version=$(git rev-parse HEAD),colours.blue.schemaRevision=0001"
common=(
  --namespace ubertruck
  --values helm/values/global.yaml --values helm/values/dev/global.yaml
  --set global.mesh.provider=none
)

accept() {
  echo "$1"
  helm template "$@" "${common[@]}" |
    kubectl apply --namespace ubertruck --server-side --dry-run=server --filename - >/dev/null
}

kubectl apply --filename k8s/namespaces.yaml --filename .github/kind/kinds.yaml
kubectl wait --for condition=established --timeout 60s --filename .github/kind/kinds.yaml

accept platform helm/platform --values helm/platform/values-dev.yaml
for values in helm/values/dev/*-service.yaml; do
  service=$(basename "$values" .yaml)
  accept "$service" helm/service \
    --values "helm/values/$service.yaml" --values "$values" --set-string "$slot"
done
accept routing helm/routing --values helm/routing/values-dev.yaml
