# syntax=docker/dockerfile:1
# One image serves the models of one GROUP, or of several that share an environment, named by comma.
#   docker build --build-arg GROUP=embedded .                      weights come at run time
#   docker build --build-arg GROUP=embedded --build-arg WEIGHTS=1 .    weights inside
#   docker build --build-arg GROUP=embedded --build-arg LISTENING=1 .  with what hears; see docs/voices.md
# A group without a built engine ends the build at its first step and says so.
ARG PYTHON_TAG=3.11-slim-bookworm

FROM python:${PYTHON_TAG} AS environment
ARG GROUP=cloning
ARG LISTENING=0
# The build of torch, where an environment has two: `cuda`, or `cpu` for a try without a card.
ARG TORCH=cuda
# Where pip finds what the public registry has not: the CPU build of torch, for GROUP=pocket and TORCH=cpu.
ARG PIP_EXTRA_INDEX_URL=
WORKDIR /build
COPY builder/__init__.py builder/groups.py builder/environment.py builder/
COPY models/__init__.py models/environments.py models/
COPY builder/locks builder/locks
RUN --mount=type=cache,target=/root/.cache/pip \
    lock="$(python -m builder.groups "${GROUP}")" \
    && if [ "${TORCH}" = cuda ] && [ -f "builder/locks/${lock}-cuda.txt" ]; then built="${lock}-cuda"; else built="${lock}"; fi \
    && python -m builder.environment "${built}" /opt/worker \
    && if [ "${LISTENING}" = 1 ]; then \
         [ "${lock}" = embedded ] || { echo "LISTENING=1 is built for GROUP=embedded only."; exit 1; }; \
         python -m builder.environment listening /opt/worker; \
       fi

# .dockerignore lets in the rooms and builder/, and nothing else.
FROM environment AS worker-source
WORKDIR /worker
COPY . .
RUN /opt/worker/bin/python -m builder.engines --built "${GROUP}"

FROM worker-source AS weights
ARG WEIGHTS=0
RUN --mount=type=secret,id=HF_TOKEN,required=false \
    mkdir /weights \
    && if [ "${WEIGHTS}" = 1 ]; then \
         HF_TOKEN="$(cat /run/secrets/HF_TOKEN 2>/dev/null || true)" && export HF_TOKEN \
         && IFS=, && for group in ${GROUP}; do \
              /opt/worker/bin/python -m builder.fetch_weights --group "${group}" --to /weights || exit 1; \
            done; \
       fi

FROM worker-source AS rooms
RUN rm -rf builder && /opt/worker/bin/python -m compileall -q -j 0 /worker

FROM python:${PYTHON_TAG} AS worker
ARG GROUP=cloning
RUN groupadd --gid 10001 worker && useradd --uid 10001 --gid 10001 --create-home worker
# The SDK logs whole answers at DEBUG, its default. The driver is the platform's: it looks at NVIDIA_*.
ENV PATH=/opt/worker/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    RUNPOD_LOG_LEVEL=INFO \
    MODEL_GROUP=${GROUP} \
    HEARTBEAT_FILE=/tmp/worker-tts.heartbeat \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=environment /opt/worker /opt/worker
COPY --from=weights --chown=10001:10001 /weights /weights
COPY --from=rooms --chown=10001:10001 /worker /worker
WORKDIR /worker
USER 10001:10001
STOPSIGNAL SIGTERM
# A sign of life from the event loop, so it works in queue mode, where no port is open. Loading may take minutes.
HEALTHCHECK --interval=30s --timeout=10s --start-period=600s --retries=3 \
    CMD ["python", "-m", "operations.healthcheck", "/tmp/worker-tts.heartbeat"]
CMD ["python", "handler.py"]
