"""Masks over the vocabulary."""

import re

import torch

from fovea.language.tokenizer import Tokenizer, TokenizerError


def sampling_mask(tokenizer: Tokenizer, vocab_size: int) -> torch.Tensor:
    """(vocab_size,) bool: the ids that have a token. (453 of the official embedding's 129,280 rows have none.)

    Raises `TokenizerError` if the model has fewer rows than the tokenizer has ids.
    """
    if vocab_size < tokenizer.size:
        raise TokenizerError(f"the tokenizer has {tokenizer.size} ids, the model only {vocab_size} rows")
    mask = torch.zeros(vocab_size, dtype=torch.bool)
    mask[tokenizer.known()] = True
    return mask


def tokens_matching(tokenizer: Tokenizer, pattern: str) -> torch.Tensor:
    """(tokenizer.size,) bool: vocabulary entries whose whole text matches `pattern`."""
    matches = torch.zeros(tokenizer.size, dtype=torch.bool)
    compiled = re.compile(pattern)
    for i, text in tokenizer.texts():
        matches[i] = compiled.fullmatch(text) is not None
    return matches
