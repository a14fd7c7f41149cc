# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
# such as campaign, for `check` and `fuzz` with all that they can do
ARG EXTRAS=""
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contracts contracts
COPY generators generators
COPY mockserver mockserver
RUN python -m venv /opt/bulkproof && /opt/bulkproof/bin/pip install --no-cache-dir -c constraints.txt ".${EXTRAS:+[$EXTRAS]}"
WORKDIR /
# the bytecode and the loaded contracts, which nobody can write later
RUN /opt/bulkproof/bin/python -c "import contracts; [*map(contracts.load_bundled, contracts.BUNDLED)]" \
  && /opt/bulkproof/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Bulkproof" \
  org.opencontainers.image.description="Contract tests and a stateful mock server for bulk and batch APIs" \
  org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home bulkproof && install --directory --owner=10001 --mode=0700 /data
COPY --from=build /opt/bulkproof /opt/bulkproof
ENV PATH="/opt/bulkproof/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# a number, so that Kubernetes can tell that it is not root
USER 10001
# for `serve --store /data/sandbox.db`; nothing else is written but temporary files
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/_sandbox/health', timeout=2)"]
ENTRYPOINT ["bulkproof"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
