"""Which tokens of a vocabulary a rule is about, as tensors."""

import re

import torch

from fovea.language.tokenizer import Tokenizer, TokenizerError


def sampling_mask(tokenizer: Tokenizer, vocab_size: int) -> torch.Tensor:
    """(vocab_size,) bool: True where an id may be sampled.

    The official embedding has 129,280 rows, 453 of them without a token. Raises `TokenizerError` where the model has
    fewer rows than the tokenizer has ids.
    """
    if vocab_size < tokenizer.size:
        raise TokenizerError(f"the tokenizer has {tokenizer.size} ids, the model only {vocab_size} rows")
    mask = torch.zeros(vocab_size, dtype=torch.bool)
    mask[tokenizer.known()] = True
    return mask


def tokens_matching(tokenizer: Tokenizer, pattern: str) -> torch.Tensor:
    """(tokenizer.size,) bool: vocabulary entries whose text matches `pattern` from end to end."""
    matches = torch.zeros(tokenizer.size, dtype=torch.bool)
    compiled = re.compile(pattern)
    for i, text in tokenizer.texts():
        matches[i] = compiled.fullmatch(text) is not None
    return matches
