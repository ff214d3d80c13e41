# Two stages: one installs, one runs. Build: docker build -t claimbase .
#
# The base image is pinned by its tag. For a build that can be repeated to the byte, pin it by the digest that
# `docker buildx imagetools inspect python:3.13-slim-trixie` prints:
#
#     docker build --build-arg BASE=python:3.13-slim-trixie@sha256:… -t claimbase .
ARG BASE=python:3.13-slim-trixie
FROM ${BASE} AS build

WORKDIR /app
RUN python -m venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH

# The dependencies come first, so that a change of the code does not install them again. With
# --build-arg REQUIREMENTS=match the image has the model by which texts are matched to claims, too,
# and with REQUIREMENTS=all also the door for agents.
ARG REQUIREMENTS=run
COPY requirements requirements
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/${REQUIREMENTS}.txt

COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY models models
COPY seed_data seed_data
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .


FROM ${BASE}

# The environment keeps its path: its scripts name it.
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY LICENSE ./

# By number, so that an orchestrator can see that it is not root.
RUN groupadd --gid 10001 claimbase \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin claimbase \
    && install --directory --owner=claimbase --group=claimbase --mode=0750 /data
USER 10001:10001
VOLUME /data

# Docker waits ten seconds after SIGTERM before it kills; requests under way get eight of them.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLAIMBASE_DATABASE_URL=sqlite:////data/claimbase.db \
    CLAIMBASE_WATCH_FILE=/data/watch.json \
    CLAIMBASE_HOST=0.0.0.0 \
    CLAIMBASE_PORT=8000
EXPOSE 8000

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['CLAIMBASE_PORT']), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]

# Migrates, fills an empty database from the seed files, and serves. The list form makes it process 1, which gets SIGTERM.
CMD ["claimbase", "serve"]
