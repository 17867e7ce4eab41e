"""In a process of its own: vLLM remembers the attention that test_successors.py gives it."""

import pytest
from test_successors import engines


def test_a_window_is_refused_where_vllm_has_none(rules):
    """On a CPU, vLLM itself would go on with full attention."""
    with pytest.raises(ValueError, match=r"CPU_ATTN.*FOVEA_ENGINE=native"), engines("unlimited-ocr", rules):
        pass
