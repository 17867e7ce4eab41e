# The worker on a CPU, for compose.yaml: pp-ocr, fovea-nano and fovea-render. With a GPU: cog.yaml.
FROM python:3.11.14-slim-bookworm

# Fonts for characters that the shipped ones lack; Tesseract for scripts that pp-ocr lacks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fontconfig fonts-noto-cjk tesseract-ocr tesseract-ocr-ara \
        tesseract-ocr-ell tesseract-ocr-heb tesseract-ocr-hin tesseract-ocr-kor tesseract-ocr-rus tesseract-ocr-tha \
        tesseract-ocr-ukr tesseract-ocr-vie \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# The steps of scripts/setup.mjs: locked packages without building any, then PyTorch's build for CPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY src/gpu-worker/requirements.txt src/gpu-worker/requirements-alone.txt src/gpu-worker/requirements-torch.txt src/gpu-worker/
RUN pip install --no-cache-dir uv==0.13.8 \
    && uv pip install --system --no-cache --no-deps --no-build --require-hashes \
        -r src/gpu-worker/requirements.txt -r src/gpu-worker/requirements-alone.txt \
    && uv pip install --system --no-cache --no-deps --default-index "$TORCH_INDEX" \
        -r src/gpu-worker/requirements-torch.txt
COPY src/gpu-worker src/gpu-worker
# Cog validates inputs by this file.
RUN python src/gpu-worker/schema.py && python -m compileall -q src/gpu-worker

RUN groupadd --gid 10001 fovea \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp fovea \
    && install -d -o fovea -g fovea -m 0700 /run/fovea/worker
USER 10001:10001
ENV HOME=/tmp PYTHONPATH=/app/src/gpu-worker PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 5000
# BUSY: all its slots are taken.
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --retries=3 \
    CMD ["python", "-c", "import json, urllib.request as u; assert json.load(u.urlopen('http://127.0.0.1:5000/health-check'))['status'] in ('READY', 'BUSY')"]
# The supervisor becomes process 1 and gets the signals itself.
CMD ["sh", "-c", "WEBHOOK_AUTH_TOKEN=$(cat /run/fovea/worker/token) exec python -m fovea.service.supervisor --host 0.0.0.0 --port 5000"]
