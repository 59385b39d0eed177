# The avatar by the pip way, on Debian. docs/kiosk.md says how it is run.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# What compiles avatar_msgs stays out of the image. Debian has one version of each at a time.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/avatar
# Lists first: as long as they stay the same, so does this layer of some gigabytes.
COPY requirements requirements
COPY scripts scripts
COPY setup.py setup.cfg pyproject.toml package.xml LICENSE NOTICE ./
COPY resource resource
COPY src src
# 1: the versions of requirements/locked, by their hashes. Empty: what the lists allow.
ARG LOCKED=1
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 scripts/setup_workspace.py ${LOCKED:+--locked} \
    && rm -rf build \
    && .venv/bin/python -m compileall -q src/avatar_nodes
COPY config config
COPY launch launch
COPY checkpoints checkpoints
COPY samples samples
COPY examples examples

FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 avatar \
    && install -d -o avatar -g avatar -m 700 /models /data
COPY --from=build /opt/avatar /opt/avatar
ENV PATH=/opt/avatar/.venv/bin:$PATH AVATAR_CACHE=/models PYTHONUNBUFFERED=1
USER 10001
# Profiles and recordings: relative paths are below the working folder.
WORKDIR /data
VOLUME ["/models", "/data"]
EXPOSE 8080
HEALTHCHECK --interval=60s --timeout=30s --start-period=180s --retries=3 CMD ["avatar", "health"]
ENTRYPOINT ["tini", "--", "avatar"]
CMD ["up", "--mode", "converse", "--kiosk"]
