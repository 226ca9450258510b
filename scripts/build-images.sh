#!/usr/bin/env bash
# The image of every service, and that of the command, as ubertruck/NAME:$VERSION for this machine's
# engine. With PLATFORMS=linux/amd64,linux/arm64 they become archives in dist/, which takes buildx.
set -euo pipefail
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
version=${VERSION:-dev}
export DOCKER_BUILDKIT=1

build() { # NAME TARGET DIRECTORY
  local about=(--target "$2" --build-arg "SERVICE=$3" --build-arg "VERSION=$version")
  if [ -n "${PLATFORMS:-}" ]; then
    mkdir -p dist
    "$docker" buildx build "${about[@]}" --platform "$PLATFORMS" --output "type=oci,dest=dist/$1.tar" .
    echo "dist/$1.tar  $PLATFORMS"
  else
    "$docker" build --quiet "${about[@]}" --tag "ubertruck/$1:$version" . >/dev/null
    "$docker" image inspect --format "{{index .RepoTags 0}}  {{.Size}} bytes" "ubertruck/$1:$version"
  fi
}

for directory in auth-service booking config-service; do
  build "${directory%-service}-service" service "$directory"
done
build ops ops libs/ops
