"""Greedy choice: the same page gives the same answer."""

import torch


def pick(
    logits: torch.Tensor, allowed: torch.Tensor, banned: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best allowed token of each row and its log-probability.

    logits (B, V) any float, allowed (V,) bool, banned (B, V) bool or None -> tokens (B,) int64,
    log-probabilities (B,) fp32.

    The probability is the model's own, taken before the bans: a token forced by the guard shows as unlikely
    instead of inheriting the certainty of the one it replaced. Non-finite logits count as impossible.
    """
    scores = logits.float()
    scores = scores.masked_fill(~torch.isfinite(scores) | ~allowed, -torch.inf)
    # A row without any finite logit would give NaN; its answer is arbitrary and its probability zero.
    log_probability = torch.log_softmax(scores, dim=-1).nan_to_num(nan=-100.0, neginf=-100.0)
    if banned is not None:
        scores = scores.masked_fill(banned, -torch.inf)
    tokens = scores.argmax(dim=-1)
    # With every score at -inf argmax answers 0, which need not be allowed.
    tokens = torch.where(torch.isfinite(scores.amax(-1)), tokens, allowed.int().argmax())
    return tokens, log_probability.gather(1, tokens[:, None]).squeeze(1)
