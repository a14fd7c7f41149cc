# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY generators generators
COPY mockserver mockserver
RUN python -m venv /opt/bulkproof && /opt/bulkproof/bin/pip install --no-cache-dir .
WORKDIR /
RUN /opt/bulkproof/bin/python -c "import contracts; [*map(contracts.load_bundled, contracts.BUNDLED)]"

FROM python:3.13-slim
COPY --from=build /opt/bulkproof /opt/bulkproof
ENV PATH="/opt/bulkproof/bin:$PATH" PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home bulkproof
USER bulkproof
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/_sandbox/health', timeout=2)"]
ENTRYPOINT ["bulkproof"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
