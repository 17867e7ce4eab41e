"""Greedy sampling, so that the same page gives the same answer."""

import torch


def pick(
    logits: torch.Tensor, allowed: torch.Tensor, banned: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The most likely allowed token of each row and its log-probability.

    logits (B, V) any float, allowed (V,) bool, banned (B, V) bool or None -> tokens (B,) int64,
    log-probabilities (B,) fp32.

    Probabilities are computed before bans, so a token that the guard forces has its own low probability. Logits that
    are not finite count as impossible.
    """
    scores = logits.float()
    scores = scores.masked_fill(~torch.isfinite(scores) | ~allowed, -torch.inf)
    # A row without a finite logit would give NaN. Its token is arbitrary and gets the probability zero.
    log_probability = torch.log_softmax(scores, dim=-1).nan_to_num(nan=-100.0, neginf=-100.0)
    if banned is not None:
        scores = scores.masked_fill(banned, -torch.inf)
    tokens = scores.argmax(dim=-1)
    # If all scores are -inf, argmax returns 0, which may not be allowed.
    tokens = torch.where(torch.isfinite(scores.amax(-1)), tokens, allowed.int().argmax())
    return tokens, log_probability.gather(1, tokens[:, None]).squeeze(1)
