#!/bin/sh
# Checks the forecast of docs/research/GPU-PLAN.md on a machine with an NVIDIA GPU:
#
#   bench/gpu.sh                       # installs PyTorch, downloads 6.7 GB of weights, tests, measures; ~20 minutes
#   bench/gpu.sh --random              # the official size with random weights: no download, times only
#   bench/gpu.sh --device cpu --tiny   # the same steps on any CPU with a tiny random model, in a minute
#
# PYTHON=… is a Python that already has the packages; WEIGHTS=… is the folder of the weights. Writes bench/out/gpu.json
# and bench/out/gpu.md. All arguments are passed to bench/gpu_bench.py.
set -eu
cd "$(dirname "$0")/.."

random=0
for argument in "$@"; do
  case "$argument" in --tiny | --random) random=1 ;; esac
done

if [ -z "${PYTHON:-}" ]; then
  PYTHON=.venv-gpu/bin/python
  if [ ! -x "$PYTHON" ]; then
    python3 -m venv .venv-gpu
    .venv-gpu/bin/pip install --quiet -r src/gpu-worker/requirements.txt
    .venv-gpu/bin/pip install --quiet -r src/gpu-worker/requirements-torch.txt # has no hashes, so on its own
  fi
fi

if command -v nvidia-smi > /dev/null; then
  nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.max.sm,power.limit --format=csv
fi

WEIGHTS=${WEIGHTS:-weights/deepseek-ocr}
if [ "$random" = 0 ]; then
  if [ ! -f "$WEIGHTS/tokenizer.json" ]; then "$PYTHON" src/gpu-worker/download_weights.py "$WEIGHTS"; fi
  exec "$PYTHON" bench/gpu_bench.py --weights "$WEIGHTS" "$@"
fi
exec "$PYTHON" bench/gpu_bench.py "$@"
