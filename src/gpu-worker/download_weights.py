"""Downloads the weights and tokenizer of a model, at a pinned revision, from the Hugging Face Hub.

    python src/gpu-worker/download_weights.py FOLDER [--model deepseek-ocr-2]

It prints the setting that makes a worker find them. The download is about 6.7 GB. If it fails, the exit status is 1
and the reason is printed.
"""

import argparse
import sys
from pathlib import Path

# Of each model: the Hub's repository, its commit, and the worker's setting for the folder.
MODELS = {
    "deepseek-ocr": (
        "deepseek-ai/DeepSeek-OCR",
        "9f30c71f441d010e5429c532364a86705536c53a",
        "FOVEA_DEEPSEEK_DIR",
    ),
    "deepseek-ocr-2": (
        "deepseek-ai/DeepSeek-OCR-2",
        "aaa02f3811945a91062062994c5c4a3f4c0af2b0",
        "FOVEA_DEEPSEEK_2_DIR",
    ),
    "unlimited-ocr": (
        "baidu/Unlimited-OCR",
        "07dea832e22aefee32ad281d4b80551282e1c168",
        "FOVEA_UNLIMITED_DIR",
    ),
}
FILES = [
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "LICENSE*",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=MODELS, default="deepseek-ocr")
    parser.add_argument("--revision", help="another commit of the Hub's repository")
    arguments = parser.parse_args()
    repository, revision, setting = MODELS[arguments.model]

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot_download(
            repository,
            revision=arguments.revision or revision,
            allow_patterns=FILES,
            local_dir=arguments.folder,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        print(
            f"Cannot download the weights from the Hub: {type(error).__name__}: {error}",
            file=sys.stderr,
        )
        print("Fovea's other models work without these weights.", file=sys.stderr)
        return 1
    print(f"{setting}={arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
