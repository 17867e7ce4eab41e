"""Downloads the official DeepSeek-OCR weights and tokenizer, at a pinned revision, from the Hugging Face Hub.

    python src/gpu-worker/download_weights.py FOLDER    # then set FOVEA_DEEPSEEK_DIR=FOLDER

The download is about 6.7 GB. If it fails, the exit status is 1 and the reason is printed.
"""

import argparse
import sys
from pathlib import Path

REPOSITORY = "deepseek-ai/DeepSeek-OCR"
REVISION = "9f30c71f441d010e5429c532364a86705536c53a"
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
    parser.add_argument("--revision", default=REVISION, help="commit of the Hub's repository")
    arguments = parser.parse_args()

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot_download(
            REPOSITORY, revision=arguments.revision, allow_patterns=FILES, local_dir=arguments.folder
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        print(
            f"Cannot download the weights from the Hub: {type(error).__name__}: {error}",
            file=sys.stderr,
        )
        print("Fovea's other models work without these weights.", file=sys.stderr)
        return 1
    print(f"FOVEA_DEEPSEEK_DIR={arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
