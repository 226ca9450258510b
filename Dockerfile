# The image of a service: `--target service --build-arg SERVICE=DIRECTORY`, such as booking. It is run
# as `api`, `worker` or `migrate`. `--target ops` is the command `ubertruck`, for docker-compose.yml.

# What a lock file names, with its hashes, in an environment of its own.
FROM python:3.13-slim AS packages
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /app/lib/python3.13/site-packages
ENV UV_LINK_MODE=copy UV_NO_PROGRESS=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY requirements-bootstrap.lock /source/
# binutils of the base's own release, which stays behind here.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /build \
    && /build/bin/pip install --quiet --no-cache-dir --require-hashes -r /source/requirements-bootstrap.lock \
    && /build/bin/uv venv --quiet --allow-existing --python /usr/local/bin/python3 /app
ARG SERVICE
COPY ${SERVICE}/requirements.lock /source/
# Left out is what no process uses: symbols, tests, descriptions of AWS's other services, and the
# command line of CEL, which `import cel` would load with all that it needs.
RUN --mount=type=cache,target=/root/.cache/uv \
    /build/bin/uv pip install --quiet --python /app/bin/python --compile-bytecode \
        --no-deps --require-hashes -r /source/requirements.lock \
    && find . -name '*.so' -not -path '*.libs/*' -exec strip --strip-debug {} + \
    && find . -depth -type d -name tests -exec rm -r {} + \
    && find . -mindepth 3 -maxdepth 3 -path './botocore/data/*' -type d \
        -not -regex '.*/\(sns\|sqs\|sso\|sso-oidc\|sts\)' -exec rm -r {} + \
    && find . -path './cel/__pycache__/cli.*' -delete \
    && find . -path ./cel/cli.py -exec truncate --size=0 {} +

# Our own code is nothing but Python: there is nothing to build, only to compile.
FROM packages AS code
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY migrations /source/migrations
COPY libs/chassis/src libs/contracts/src ${SERVICE}/src /code/
RUN /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /code \
    && mkdir /migrations \
    && cp -r /source/migrations/{alembic.ini,env.py} "/source/migrations/${SERVICE%-service}" /migrations \
    && printf '#!/bin/sh\nexec /app/bin/python -m %s "$@"\n' "${SERVICE//-/_}" > /entry \
    && chmod 755 /entry

FROM packages AS ops-code
COPY libs/chassis/src libs/contracts/src libs/mesh/src libs/ops/src /code/
COPY auth-service/src booking/src config-service/src /code/
RUN /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /code

# What both run on: a user that is nobody, and one folder to write to besides /tmp.
FROM python:3.13-slim AS runtime
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ubertruck \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/ubertruck \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* \
        /usr/local/lib/python3.*/ensurepip
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001

FROM runtime AS ops
COPY --from=packages /app /app
COPY --from=ops-code /code /app/lib/python3.13/site-packages/
# Where libs/mesh and libs/chassis look for them: beside the environment, as in the repository.
COPY migrations /app/migrations
COPY k8s/rendered/dev /app/k8s/rendered/dev
ENTRYPOINT ["/app/bin/python", "-m", "ops.compose"]

FROM runtime AS service
COPY --from=packages /app /app
COPY --from=code /entry /app/bin/service
COPY --from=code /migrations /app/migrations
COPY --from=code /code /app/lib/python3.13/site-packages/
EXPOSE 8080 9090
# bash, since a Python for each look would cost more than what it looks at.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /readyz HTTP/1.1\\r\\nHost: health\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.1 200' <&3"]
ENTRYPOINT ["/app/bin/service"]
CMD ["api"]
ARG SERVICE
ARG VERSION=unknown
LABEL org.opencontainers.image.title="ubertruck ${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${VERSION}" \
      org.opencontainers.image.vendor="Ubertruck" \
      org.opencontainers.image.description="Bulk freight: the processes api, worker and migrate of ${SERVICE}"
