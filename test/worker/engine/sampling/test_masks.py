"""Which tokens may be sampled."""

import pytest
import torch

from fovea.engine.sampling import sampling_mask
from fovea.language.tokenizer import Tokenizer, TokenizerError


def test_only_ids_with_a_token_may_be_sampled(official_tokenizer):
    mask = sampling_mask(official_tokenizer, 129280)
    assert mask.dtype == torch.bool and mask.shape == (129280,)
    assert int((~mask).sum()) == 453
    assert mask[:128827].all() and not mask[128827:].any()


def test_a_model_smaller_than_its_tokenizer_is_refused():
    with pytest.raises(TokenizerError, match="271 ids"):
        sampling_mask(Tokenizer.characters(), 256)
