"""What vLLM loads of Fovea: models that sample allowed tokens only, and the n-gram guard for both of its model runners.

Tests hold the guards to `fovea.engine.sampling` (test/vllm, and test/worker/engine/test_vllm_guard.py without vLLM).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fovea.engine.metrics import Metrics
from fovea.engine.sampling.guard import NONE, NgramGuard, check, repeats, tails

NGRAM = "ngram"
"""The key of (n, window) in a request's extra arguments."""


def restrict_models(folder: Path, allowed: Tensor) -> None:
    """Makes vLLM sample only tokens of `allowed` (V,) bool from the model in `folder`.

    The logits themselves are changed, so log-probabilities are those among the allowed tokens, as in the native engine.
    (vLLM's `allowed_token_ids` takes at most 1,024 ids in its V2 runner and leaves log-probabilities as they are.)
    """
    from vllm.model_executor.models import ModelRegistry

    config = json.loads((folder / "config.json").read_text())
    for architecture in config["architectures"]:
        base = ModelRegistry.models[architecture].load_model_cls()
        ModelRegistry.register_model(architecture, _restricted(base, allowed))


def _restricted(base: type, allowed: Tensor) -> type:
    base = getattr(base, "fovea_base", base)  # of an earlier engine in this process

    class Restricted(base):
        fovea_base = base

        def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
            logits = super().compute_logits(hidden_states)
            return logits if logits is None else restrict(logits, self._allowed_on(logits))

        def _allowed_on(self, logits: Tensor) -> Tensor:
            mask = getattr(self, "_fovea_allowed", None)
            if mask is None or mask.device != logits.device or len(mask) != logits.shape[-1]:
                mask = allowed[: logits.shape[-1]].to(logits.device)
                self._fovea_allowed = mask
            return mask

    Restricted.__name__ = Restricted.__qualname__ = base.__name__
    return Restricted


def restrict(logits: Tensor, allowed: Tensor) -> Tensor:
    """logits (N, V), allowed (V,) bool -> logits that only allowed tokens can win.

    Logits that are not finite count as impossible. If all are, the token is an arbitrary allowed one.
    """
    least = torch.finfo(logits.dtype).min
    logits = logits.masked_fill(~torch.isfinite(logits), least / 2)
    return logits.masked_fill_(~allowed, least)


def check_window(layers: Iterable[Any], window: int | None) -> None:
    """Raises `ValueError` unless vLLM's attention `layers` have the model's window over generated tokens.

    vLLM takes the window from the checkpoint's `config.json`. Where no kernel for this device has it, as on CPUs, vLLM
    goes on without it, and answers that are longer than the window would be wrong.
    """
    layers = list(layers)
    windows = {getattr(layer, "_rswa_window", None) for layer in layers}
    if windows != {window}:
        raise ValueError(
            f"the model's window over generated tokens is {window}, "
            f"but vLLM's layers have {windows or 'no attention'}: use FOVEA_ENGINE=native, "
            "or the config.json of the official checkpoint"
        )
    backends = {layer.get_attn_backend() for layer in layers}
    without = sorted(backend.get_name() for backend in backends if not backend.supports_rswa())
    if window is not None and without:
        raise ValueError(
            f"vLLM's attention on this device ({', '.join(without)}) has no window over generated tokens, which the "
            "model needs: use FOVEA_ENGINE=native"
        )


def guard_class(v2: bool, exempt: Sequence[int]) -> type:
    """The n-gram guard as a logits processor of vLLM's V2 or V1 model runner. `exempt` tokens are never forbidden."""
    return _guard_v2(tuple(exempt)) if v2 else _guard_v1(tuple(exempt))


def _sizes(parameters: Any) -> tuple[int, int] | None:
    """(n, window) of a request, or None. Raises `ValueError` for sizes that no guard has."""
    ngram = (parameters.extra_args or {}).get(NGRAM)
    if ngram is None:
        return None
    check(*ngram)
    return tuple(ngram)


def _guard_v1(exempt: tuple[int, ...]) -> type:
    from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

    class Guard(AdapterLogitsProcessor):
        """Row by row, from the tokens on the host."""

        @classmethod
        def validate_params(cls, params: Any) -> None:
            _sizes(params)

        def is_argmax_invariant(self) -> bool:
            return False

        def new_req_logits_processor(self, params: Any) -> Callable | None:
            sizes = _sizes(params)
            if sizes is None:
                return None
            guard = NgramGuard(*sizes, exempt)

            def forbid(output_ids: list[int], logits: Tensor) -> Tensor:
                recent = tails([output_ids], guard.window).to(logits.device)
                return logits.masked_fill_(guard.banned(recent, len(logits))[0], -torch.inf)

            return forbid

    return Guard


def _guard_v2(exempt: tuple[int, ...]) -> type:
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor

    class Guard(GuardV2, LogitsProcessor):
        pass

    Guard.exempt = exempt
    return Guard


class GuardV2:
    """All rows at once, from the tokens on the device. A step never waits for the device.

    See `vllm.v1.worker.gpu.sample.logits_processor.LogitsProcessor` for the calls.
    """

    exempt: tuple[int, ...] = ()

    def __init__(self, vllm_config: Any, req_states: Any):
        self._states = req_states
        slots = req_states.max_num_reqs
        self._sizes: list[tuple[int, int] | None] = [None] * slots
        # (n, window) of each slot, for the device; n = 0: no guard
        self._host = torch.zeros(slots, 2, dtype=torch.int64)
        self._device = torch.zeros(slots, 2, dtype=torch.int64, device=req_states.device)
        self._exempt = torch.tensor(self.exempt, dtype=torch.int64, device=req_states.device)
        self._changed = False

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        _sizes(sampling_params)

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        self._sizes[req_idx] = sizes = _sizes(sampling_params)
        self._host[req_idx] = torch.tensor(sizes or (0, 0))
        self._changed = True
        return sizes is not None

    def apply_staged_writes(self) -> None:
        if self._changed:
            self._device.copy_(self._host)
            self._changed = False

    def apply(self, logits: Tensor, ctx: Any) -> Tensor:
        kinds = {sizes for slot in ctx.idx_mapping_np if (sizes := self._sizes[slot])}
        if not kinds:
            return logits
        states, slots = self._states, ctx.expanded_idx_mapping.long()
        ends, starts = states.total_len.gpu[slots].long(), states.prompt_len.gpu[slots].long()
        vocab = logits.shape[-1]
        for n, window in sorted(kinds):  # nearly always one
            steps = torch.arange(-window, 0, device=logits.device)
            places = ends[:, None] + steps  # (rows, window)
            recent = states.all_token_ids.gpu[slots[:, None], places.clamp(min=0)].long()
            recent = recent.masked_fill(places < starts[:, None], NONE)  # the guard sees the answer only
            banned = repeats(recent, n, vocab)
            banned[:, self._exempt] = False
            mine = (self._device[slots] == self._device.new_tensor([n, window])).all(-1)
            logits.masked_fill_(banned & mine[:, None], -torch.inf)
        return logits


def preemption_counter(metrics: Metrics) -> Callable:
    """A factory of vLLM's statistics loggers that counts preemptions."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Counter(StatLoggerBase):
        def __init__(self, vllm_config: Any, engine_index: int = 0):
            pass

        def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
            if iteration_stats is not None:
                metrics.add("set_aside", iteration_stats.num_preempted_reqs)

        def log_engine_initialized(self) -> None:
            pass

    return Counter
