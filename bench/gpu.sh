#!/bin/sh
# What only a GPU can decide, in under ten minutes, on any NVIDIA card (A10, L4, A100, H100, H200, …):
#
#   bench/gpu.sh                       # with the official weights; at first it downloads 4 GB of packages and 6.7 GB
#   bench/gpu.sh --random              # without the weights: few layers with random values, so nothing is read
#   bench/gpu.sh --device cpu --tiny   # tests the script on any CPU with a tiny random model, in a few minutes
#
# Prints a line per check, ends with "N passed, N failed", and writes bench/out/gpu.json: please send it.
# PYTHON=… is a Python that already has the packages; WEIGHTS=… is the folder of the weights.
set -eu
cd "$(dirname "$0")/.."

random=0
for argument in "$@"; do
  case "$argument" in --tiny | --random) random=1 ;; esac
done

if [ -z "${PYTHON:-}" ]; then
  PYTHON=.venv-gpu/bin/python
  if [ ! -x "$PYTHON" ]; then
    python3.11 -m venv .venv-gpu
    .venv-gpu/bin/python -m pip install --quiet -r src/gpu-worker/requirements-vllm.txt
  fi
fi
export PYTHONPATH="src/gpu-worker${PYTHONPATH:+:$PYTHONPATH}"

WEIGHTS=${WEIGHTS:-weights/deepseek-ocr}
if [ "$random" = 0 ]; then
  if [ ! -f "$WEIGHTS/tokenizer.json" ]; then "$PYTHON" src/gpu-worker/download_weights.py "$WEIGHTS"; fi
  exec "$PYTHON" bench/gpu_checks.py --weights "$WEIGHTS" "$@"
fi
exec "$PYTHON" bench/gpu_checks.py "$@"
