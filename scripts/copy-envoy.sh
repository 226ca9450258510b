#!/usr/bin/env bash
# Envoy's own image, in the version that helm/platform/values.yaml says, into the registries that are
# named, signed as ours are. Where it is, it stays: tags there never change.
set -euo pipefail

if (($# == 0)); then
  echo "Usage: copy-envoy.sh REGISTRY..., such as 222222222222.dkr.ecr.ap-south-1.amazonaws.com" >&2
  exit 2
fi
cd "$(dirname "$0")/.."

version=$(sed -n 's/^  version: \(v[0-9.]*\) .*/\1/p' helm/platform/values.yaml)
digest=$(sed -n 's/^  digest: "\(.*\)"$/\1/p' helm/platform/values.yaml)
if [[ -z $digest ]]; then
  digest=$(docker buildx imagetools inspect "envoyproxy/envoy:$version" --format '{{json .Manifest}}' | jq -r .digest)
fi
for registry in "$@"; do
  image=$registry/ubertruck/envoy
  if docker buildx imagetools inspect "$image:$version" >/dev/null 2>&1; then
    echo "$image:$version is there."
    continue
  fi
  # The tag that pods ask for comes last, so that what has it is signed.
  docker buildx imagetools create --tag "$image:$version-${GITHUB_RUN_ID:-by-hand}-${GITHUB_RUN_ATTEMPT:-1}" "envoyproxy/envoy@$digest"
  cosign sign --yes --recursive "$image@$digest"
  docker buildx imagetools create --tag "$image:$version" "$image@$digest"
done
