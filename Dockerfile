# The dashboard, the recorder and cli.py in one image: docs/container.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt requirements-auth.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt --requirement requirements-auth.txt
COPY . .
# The translations, and the bytecode, which cannot be written where the image runs. What only an installation needs, or a test, is left out.
RUN /venv/bin/python -m messages.catalogues --compile \
    && python -m compileall -q -j 0 . \
    && /venv/bin/pip uninstall --quiet --yes pip setuptools \
    && rm -rf /venv/lib/python3.11/site-packages/babel/locale-data /venv/lib/python3.11/site-packages/pyarrow/include \
    && find /venv -depth -type d -name tests -exec rm -rf {} +

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /data dashboard && install --directory --owner dashboard --mode 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
# The archive, and the cache of downloaded access logs; all else is read.
ENV HOME=/data PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
CMD ["streamlit", "run", "dashboard.py", "--server.address=0.0.0.0", "--server.port=8501"]
