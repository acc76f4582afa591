FROM python:3.13-slim AS build
WORKDIR /build
# The installer and the build backend stay in this stage.
COPY requirements/bootstrap.lock requirements/
RUN python -m venv /opt/bootstrap \
 && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.lock
COPY requirements/runtime.lock requirements/
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1
RUN python -m venv --without-pip /opt/careroute \
 && /opt/bootstrap/bin/uv pip install --python /opt/careroute/bin/python --require-hashes -r requirements/runtime.lock
COPY . .
RUN /opt/bootstrap/bin/hatchling build -t wheel -d /tmp/wheel \
 && /opt/bootstrap/bin/uv pip install --python /opt/careroute/bin/python --no-deps /tmp/wheel/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/careroute careroute \
 && install -d -o careroute -g careroute -m 0700 /var/lib/careroute /var/lib/anchors /var/lib/erasures
COPY --from=build /opt/careroute /opt/careroute
ENV PATH=/opt/careroute/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CAREROUTE_DATA_DIR=/var/lib/careroute \
    CAREROUTE_HOST=0.0.0.0 \
    CAREROUTE_PORT=8000
USER 10001:10001
WORKDIR /var/lib/careroute
EXPOSE 8000
# For the web process; docker-compose.yml gives the others their own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['CAREROUTE_PORT']}/healthz\", timeout=4)"]
CMD ["careroute", "web"]
