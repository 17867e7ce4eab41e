"""Samples the next token of all running sequences: guard, choice and probability, as tensor operations."""

import torch
from torch import Tensor

from fovea.engine.answer import Answer
from fovea.engine.generate import Rules
from fovea.engine.sampling import NgramGuard, pick, tails


def sample(logits: Tensor, answers: list[Answer], rules: Rules) -> None:
    """Adds a token to each answer, by logits (n, V)."""
    by_guard: dict[NgramGuard, list[int]] = {}
    for row, answer in enumerate(answers):
        if answer.guard:
            by_guard.setdefault(answer.guard, []).append(row)
    banned = torch.zeros_like(logits, dtype=torch.bool) if by_guard else None
    for guard, rows in by_guard.items():
        recent = tails([answers[row].ids for row in rows], guard.window)
        banned[rows] = guard.banned(recent, logits.shape[-1])
    tokens, log_probs = pick(logits, rules.allowed, banned)
    for answer, token, log_prob in zip(answers, tokens.tolist(), log_probs.tolist(), strict=True):
        answer.add(token, log_prob)
