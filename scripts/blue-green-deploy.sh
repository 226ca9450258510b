#!/usr/bin/env bash
# Every service of an environment gets a version, blue-green, by way of `ubertruck rollout`.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: blue-green-deploy.sh --environment dev|staging|production --version COMMIT [--rollback-on-failure]

Rolls COMMIT out to all services, in the cluster that kubectl points to. The exit code is 0 once the
new version serves alone, 1 when the old one does, 2 for wrong arguments.

  --rollback-on-failure   anything wrong takes every request back: so it does without this as well
TEXT
}

wrong() {
  echo "blue-green-deploy.sh: $1 See --help." >&2
  exit 2
}

environment="" version=""
while (($#)); do
  case $1 in
    --help | -h) usage && exit ;;
    --environment) (($# > 1)) || wrong "$1 needs a value." ; environment=$2 && shift 2 ;;
    --version) (($# > 1)) || wrong "$1 needs a value." ; version=$2 && shift 2 ;;
    --rollback-on-failure) shift ;;
    *) wrong "'$1' is nothing that it knows." ;;
  esac
done
[[ $environment =~ ^(dev|staging|production)$ ]] || wrong "--environment is dev, staging or production."
[[ $version =~ ^[0-9a-f]{40}$ ]] || wrong "--version is a commit of 40 hexadecimal digits."

cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec ubertruck rollout start --environment "$environment" --version "$version"
