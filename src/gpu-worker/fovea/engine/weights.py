"""The decoder's weights in the form that the engine uses: fused, and optionally quantized to int8.

The projections of queries, keys and values are one matrix; gate and up are another. There are three kinds:

- `plain`: all experts of a layer are one tensor, for a grouped GEMM. Fusing copies one layer at a time and makes the
  model's parameters views of the copy, so memory does not grow.
- `packed`, for small fp32 decoders on a CPU: keeps a second copy of the weights in oneDNN's layout. Other kernels
  reorder the weights in every step, which for a few tokens takes as long as the product itself.
- `int8`, for a CPU: replaces the model's parameters, so the original weights are gone. Everything else is computed in
  fp32, whatever the checkpoint's type, because few CPUs are fast in other types.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model import OcrModel
from fovea.model.int8 import to_int8

SMALL_BATCH = 16  # most tokens for which the int8 kernel is used
WHOLE = 64  # for that, rows and columns must be multiples of this
FEW = 16  # number of tokens for which oneDNN packs the weights
VERY_FEW = 4  # up to this number of tokens, unpacked weights are faster
PACKED_BYTES = 1 << 30  # largest decoder for which a packed copy is made
UNPACKED = 1 << 22  # int8 weights that are converted at a time for larger batches


@dataclass(frozen=True, slots=True)
class Int8:
    """weights (out, in), int8, with a scale for each output: symmetric, rounded to nearest."""

    weights: Tensor
    scales: Tensor  # (out,) fp32

    @classmethod
    def of(cls, weights: Tensor) -> "Int8":
        return cls(*to_int8(weights))

    def __call__(self, x: Tensor) -> Tensor:
        """x (N, in) -> (N, out)."""
        if len(x) <= SMALL_BATCH and not (self.weights.shape[0] | self.weights.shape[1]) % WHOLE:
            # PyTorch's kernel is fast only in bf16. Rounding x adds less error than the quantized weights.
            # The kernel reads out of bounds if sizes are not multiples of WHOLE.
            y = torch._weight_int8pack_mm(x.bfloat16(), self.weights, self.scales.bfloat16())
            return y.to(x.dtype)
        rows = max(1, UNPACKED // x.shape[1])
        parts = [F.linear(x, some.to(x.dtype)) for some in self.weights.split(rows)]
        return torch.cat(parts, 1) * self.scales.to(x.dtype)


@dataclass(frozen=True, slots=True)
class Plain:
    """weights (out, in), unchanged."""

    weights: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weights)


@dataclass(frozen=True, slots=True)
class Packed:
    """weights (out, in) twice: unchanged, and in oneDNN's layout for a few tokens. Works for any number of tokens.

    Two to four tokens are fastest as weights · tokensᵀ. A single token is computed as two equal ones, because
    matrix-vector kernels read memory at half the speed (docs/BENCHMARKS.md).
    """

    weights: Tensor  # (1, out, in)
    packed: Tensor

    @classmethod
    def of(cls, weights: Tensor) -> "Packed":
        weights = weights.detach().contiguous()
        return cls(weights[None], torch.ops.mkldnn._reorder_linear_weight(weights, FEW))

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) > VERY_FEW:
            return torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        some = x if len(x) > 1 else torch.cat([x, x])
        y = torch.bmm(self.weights, some.t()[None])[0]  # (out, tokens)
        return y.t()[: len(x)].contiguous()


Matrix = Plain | Packed | Int8


@dataclass(frozen=True, slots=True)
class Swiglu:
    gate_up: Matrix  # (2 · inner, C)
    down: Matrix  # (C, inner)

    def __call__(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


@dataclass(frozen=True, slots=True)
class Experts:
    """The mixture of experts of a layer: `gate_up` (E, 2 · inner, C) and `down` (E, C, inner), or `single` experts."""

    router: Tensor  # (E, C) fp32
    k: int
    shared: Swiglu
    gate_up: Tensor | None
    down: Tensor | None
    single: tuple[Swiglu, ...] = ()

    @property
    def count(self) -> int:
        return len(self.router)

    def __call__(self, x: Tensor) -> Tensor:
        """x (N, C) -> (N, C). The reference is `fovea.model.decoder.MixtureOfExperts`."""
        weights, chosen = F.linear(x.float(), self.router).softmax(-1).topk(self.k, dim=-1, sorted=False)
        if len(x) == 1:
            return self._one(x, weights, chosen[0].tolist())
        chosen = chosen.flatten()
        order = chosen.argsort(stable=True)  # indices into (N · k), sorted by expert
        counts = chosen.bincount(minlength=self.count)
        inputs = x[order // self.k]
        answers = self._looped(inputs, counts) if self.gate_up is None else self._grouped(inputs, counts)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=x.device)
        answers = answers[back].view(*weights.shape, -1)  # (N, k, C)
        return (answers.float() * weights[..., None]).sum(1).to(x.dtype) + self.shared(x)

    def _one(self, x: Tensor, weights: Tensor, chosen: list[int]) -> Tensor:
        """A single token, which needs no grouping: x (1, C), weights (1, k)."""
        answers = torch.cat([self._expert(number, x) for number in chosen])
        return (weights @ answers.float()).to(x.dtype) + self.shared(x)

    def _grouped(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """All experts in one grouped GEMM."""
        ends = counts.cumsum(0).int()
        gate, up = torch._grouped_mm(inputs, self.gate_up.transpose(1, 2), offs=ends).chunk(2, -1)
        return torch._grouped_mm(F.silu(gate) * up, self.down.transpose(1, 2), offs=ends)

    def _looped(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """One expert after the other, for kinds and types that the grouped kernel does not support."""
        some = inputs.split(counts.tolist())
        return torch.cat([self._expert(number, x) for number, x in enumerate(some) if len(x)])

    def _expert(self, number: int, x: Tensor) -> Tensor:
        if self.single:
            return self.single[number](x)
        return Swiglu(Plain(self.gate_up[number]), Plain(self.down[number]))(x)


@dataclass(frozen=True, slots=True)
class LayerWeights:
    norm1: Tensor
    qkv: Matrix  # (3 · heads · D, C)
    out: Matrix
    norm2: Tensor
    mlp: Swiglu | Experts


@dataclass(frozen=True, slots=True)
class Weights:
    embedding: Tensor
    layers: tuple[LayerWeights, ...]
    norm: Tensor
    head: Matrix


def suitable(model: OcrModel) -> str:
    """`packed` or `plain`, whichever is faster for this model and device."""
    size = 4 * sum(parameter.numel() for parameter in model.model.layers.parameters())
    fits = model.device.type == "cpu" and model.dtype == torch.float32 and size <= PACKED_BYTES
    known = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    return "packed" if fits and known else "plain"


@torch.no_grad()
def fuse(model: OcrModel, kind: str = "plain") -> Weights:
    """Fuses the decoder's weights. Changes the parameters of `model`; see the head of this module."""
    layers = []
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            LayerWeights(
                _norm(layer.input_layernorm, kind),
                _matrix([attention.q_proj, attention.k_proj, attention.v_proj], kind),
                _matrix([attention.o_proj], kind),
                _norm(layer.post_attention_layernorm, kind),
                _experts(mlp, kind) if hasattr(mlp, "experts") else _swiglu(mlp, kind),
            )
        )
    return Weights(
        model.model.embed_tokens.weight.detach(),
        tuple(layers),
        _norm(model.model.norm, kind),
        _matrix([model.lm_head], kind),
    )


def _norm(norm: nn.Module, kind: str) -> Tensor:
    weight = norm.weight.detach()
    return weight.float() if kind == "int8" else weight


def _matrix(linears: list[nn.Linear], kind: str) -> Matrix:
    """One matrix with the outputs of all `linears`."""
    if kind == "int8":
        parts = [Int8.of(linear.weight) for linear in linears]
        for linear in linears:
            linear.weight = nn.Parameter(linear.weight.new_empty(0), requires_grad=False)
        return Int8(torch.cat([p.weights for p in parts]), torch.cat([p.scales for p in parts]))
    whole = (
        torch.cat([linear.weight for linear in linears]) if len(linears) > 1 else linears[0].weight.detach()
    )
    if kind == "packed":
        return Packed.of(whole)
    if len(linears) > 1:
        _become_views(linears, whole)
    return Plain(whole)


def _become_views(linears: list[nn.Linear], whole: Tensor) -> None:
    for linear, part in zip(linears, whole.split([len(x.weight) for x in linears]), strict=True):
        linear.weight = nn.Parameter(part, requires_grad=linear.weight.requires_grad)


def _swiglu(mlp: nn.Module, kind: str) -> Swiglu:
    return Swiglu(_matrix([mlp.gate_proj, mlp.up_proj], kind), _matrix([mlp.down_proj], kind))


def _experts(mlp: nn.Module, kind: str) -> Experts:
    router, shared = mlp.gate.weight.detach().float(), _swiglu(mlp.shared_experts, kind)
    if kind != "plain":
        single = tuple(_swiglu(expert, kind) for expert in mlp.experts)
        return Experts(router, mlp.k, shared, None, None, single)
    gate_up = torch.stack([torch.cat([e.gate_proj.weight, e.up_proj.weight]) for e in mlp.experts])
    down = torch.stack([e.down_proj.weight for e in mlp.experts])
    for expert, both, last in zip(mlp.experts, gate_up, down, strict=True):
        _become_views([expert.gate_proj, expert.up_proj], both)
        _become_views([expert.down_proj], last)
    return Experts(router, mlp.k, shared, gate_up, down)
