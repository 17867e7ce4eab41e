"""The decoder's weights as the engine multiplies with them: fused, and in int8 if that is asked for.

Queries, keys and values are one matrix, gate and up another. There are three kinds:

- `plain`: all experts of a layer are one tensor, for a grouped GEMM. Fusing copies one layer at a time and makes
  the model's parameters views of the copy: names and values stay, the memory does not grow.
- `packed`, for small decoders in fp32 on a CPU: beside the weights a copy in the order in which oneDNN reads it.
  Other kernels bring weights into such an order in every step, which for some tokens takes as long as the product.
- `int8`, for a CPU: the model's parameters are replaced, what was quantised is gone from it. What is not in
  int8 is computed in fp32, whatever the checkpoint's type: few CPUs are fast in another.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model import OcrModel
from fovea.model.int8 import to_int8

SMALL_BATCH = 16  # tokens up to which int8 weights are multiplied without being unpacked
WHOLE = 64  # rows and columns of which sizes must be multiples for that
FEW = 16  # tokens for which weights are packed
VERY_FEW = 4  # tokens up to which they are better read as they are
PACKED_BYTES = 1 << 30  # of a decoder, up to which a second copy of it is worth its memory
UNPACKED = 1 << 22  # weights that are unpacked at a time otherwise


@dataclass(frozen=True, slots=True)
class Int8:
    """weights (out, in) int8 with a scale for each output: symmetric, nearest."""

    weights: Tensor
    scales: Tensor  # (out,) fp32

    @classmethod
    def of(cls, weights: Tensor) -> "Int8":
        return cls(*to_int8(weights))

    def __call__(self, x: Tensor) -> Tensor:
        """x (N, in) -> (N, out)."""
        if len(x) <= SMALL_BATCH and not (self.weights.shape[0] | self.weights.shape[1]) % WHOLE:
            # PyTorch's kernel is fast in bf16 only; the weights' own error is larger than that of rounding x.
            # It reads beyond the end of sizes that are not whole vectors.
            y = torch._weight_int8pack_mm(x.bfloat16(), self.weights, self.scales.bfloat16())
            return y.to(x.dtype)
        rows = max(1, UNPACKED // x.shape[1])
        parts = [F.linear(x, some.to(x.dtype)) for some in self.weights.split(rows)]
        return torch.cat(parts, 1) * self.scales.to(x.dtype)


@dataclass(frozen=True, slots=True)
class Plain:
    """weights (out, in) as they are."""

    weights: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weights)


@dataclass(frozen=True, slots=True)
class Packed:
    """weights (out, in) twice: as they are, and as oneDNN wants them for a few tokens; any number is right.

    A product with two to four tokens is fastest as weights · tokensᵀ, and one with a single token is not a
    special case of it: the matrix-vector kernels read memory at half the speed (docs/BENCHMARKS.md), so one
    token is computed twice.
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
    """The mixture of one layer. `gate_up` (E, 2 · inner, C) and `down` (E, C, inner), or the experts one by one."""

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
        """x (N, C) -> (N, C); the rule of `fovea.model.decoder.MixtureOfExperts`."""
        weights, chosen = F.linear(x.float(), self.router).softmax(-1).topk(self.k, dim=-1, sorted=False)
        if len(x) == 1 and not x.is_cuda:
            return self._one(x, weights, chosen[0].tolist())
        chosen = chosen.flatten()
        order = chosen.argsort(stable=True)  # places in (N · k), sorted by expert
        counts = self._counts(chosen)
        inputs = x[order // self.k]
        answers = self._looped(inputs, counts) if self._loops(x) else self._grouped(inputs, counts)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=x.device)
        answers = answers[back].view(*weights.shape, -1)  # (N, k, C)
        return (answers.float() * weights[..., None]).sum(1).to(x.dtype) + self.shared(x)

    def _one(self, x: Tensor, weights: Tensor, chosen: list[int]) -> Tensor:
        """One token needs no grouping: x (1, C), weights (1, k)."""
        answers = torch.cat([self._expert(number, x) for number in chosen])
        return (weights @ answers.float()).to(x.dtype) + self.shared(x)

    def _loops(self, x: Tensor) -> bool:
        return self.gate_up is None or (x.is_cuda and x.dtype != torch.bfloat16)

    def _counts(self, chosen: Tensor) -> Tensor:
        if chosen.is_cuda:  # `bincount` waits for the device, which a captured graph must not
            return (chosen[:, None] == torch.arange(self.count, device=chosen.device)).sum(0)
        return chosen.bincount(minlength=self.count)

    def _grouped(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """One call for all experts: a grouped GEMM."""
        ends = counts.cumsum(0).int()
        gate, up = torch._grouped_mm(inputs, self.gate_up.transpose(1, 2), offs=ends).chunk(2, -1)
        return torch._grouped_mm(F.silu(gate) * up, self.down.transpose(1, 2), offs=ends)

    def _looped(self, inputs: Tensor, counts: Tensor) -> Tensor:
        """Expert by expert, where the grouped kernel does not know the kind or the type."""
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
    """`packed` or `plain`, whichever is faster here."""
    size = 4 * sum(parameter.numel() for parameter in model.model.layers.parameters())
    fits = model.device.type == "cpu" and model.dtype == torch.float32 and size <= PACKED_BYTES
    known = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    return "packed" if fits and known else "plain"


@torch.no_grad()
def fuse(model: OcrModel, kind: str = "plain") -> Weights:
    """Takes over the decoder of `model` (see above)."""
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
    """One matrix over the outputs of all."""
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
