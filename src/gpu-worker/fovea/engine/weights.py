"""The decoder's weights as the engine multiplies with them: fused, and in int8 if that is asked for.

Queries, keys and values are one matrix, gate and up another, and all experts of a layer one tensor. Fusing
copies one layer at a time and makes the model's parameters views of the copy: names and values stay, the
memory does not grow. int8 replaces them: what was quantised is gone from the model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model import OcrModel

SMALL_BATCH = 16  # tokens up to which int8 weights are multiplied without being unpacked
WHOLE = 64  # rows and columns of which sizes must be multiples for that
UNPACKED = 1 << 22  # weights that are unpacked at a time otherwise


@dataclass(frozen=True, slots=True)
class Int8:
    """weights (out, in) int8 with a scale for each output: symmetric, nearest."""

    weights: Tensor
    scales: Tensor  # (out,) fp32

    @classmethod
    def of(cls, weights: Tensor) -> "Int8":
        wide = weights.float()
        scales = wide.abs().amax(1).clamp(min=1e-12) / 127
        return cls((wide / scales[:, None]).round().to(torch.int8), scales)

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


Matrix = Plain | Int8


@dataclass(frozen=True, slots=True)
class Swiglu:
    gate_up: Matrix  # (2 · inner, C)
    down: Matrix  # (C, inner)

    def __call__(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(gate) * up)


@dataclass(frozen=True, slots=True)
class Experts:
    """The mixture of one layer. `gate_up` (E, 2 · inner, C) and `down` (E, C, inner), or a list of int8 ones."""

    router: Tensor  # (E, C) fp32
    k: int
    shared: Swiglu
    gate_up: Tensor | None
    down: Tensor | None
    packed: tuple[Swiglu, ...] = ()

    @property
    def count(self) -> int:
        return len(self.router)

    def __call__(self, x: Tensor) -> Tensor:
        """x (N, C) -> (N, C); the rule of `fovea.model.decoder.MixtureOfExperts`."""
        weights, chosen = F.linear(x.float(), self.router).softmax(-1).topk(self.k, dim=-1, sorted=False)
        chosen = chosen.flatten()
        order = chosen.argsort(stable=True)  # places in (N · k), sorted by expert
        counts = self._counts(chosen)
        inputs = x[order // self.k]
        answers = self._looped(inputs, counts) if self._loops(x) else self._grouped(inputs, counts)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=x.device)
        answers = answers[back].view(*weights.shape, -1)  # (N, k, C)
        return (answers.float() * weights[..., None]).sum(1).to(x.dtype) + self.shared(x)

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
        """Expert by expert, where the grouped kernel does not know the type."""
        some = inputs.split(counts.tolist())
        return torch.cat([self._expert(number, x) for number, x in enumerate(some) if len(x)])

    def _expert(self, number: int, x: Tensor) -> Tensor:
        if self.packed:
            return self.packed[number](x)
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


@torch.inference_mode(False)
@torch.no_grad()
def fuse(model: OcrModel, int8: bool = False) -> Weights:
    """Takes over the decoder of `model` (see above)."""
    layers = []
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            LayerWeights(
                layer.input_layernorm.weight.detach(),
                _matrix([attention.q_proj, attention.k_proj, attention.v_proj], int8),
                _matrix([attention.o_proj], int8),
                layer.post_attention_layernorm.weight.detach(),
                _experts(mlp, int8) if hasattr(mlp, "experts") else _swiglu(mlp, int8),
            )
        )
    return Weights(
        model.model.embed_tokens.weight.detach(),
        tuple(layers),
        model.model.norm.weight.detach(),
        _matrix([model.lm_head], int8),
    )


def _matrix(linears: list[nn.Linear], int8: bool) -> Matrix:
    """One matrix over the outputs of all."""
    if int8:
        parts = [Int8.of(linear.weight) for linear in linears]
        for linear in linears:
            linear.weight = nn.Parameter(linear.weight.new_empty(0), requires_grad=False)
        return Int8(torch.cat([p.weights for p in parts]), torch.cat([p.scales for p in parts]))
    if len(linears) == 1:
        return Plain(linears[0].weight.detach())
    whole = torch.cat([linear.weight for linear in linears])
    _become_views(linears, whole)
    return Plain(whole)


def _become_views(linears: list[nn.Linear], whole: Tensor) -> None:
    for linear, part in zip(linears, whole.split([len(x.weight) for x in linears]), strict=True):
        linear.weight = nn.Parameter(part, requires_grad=linear.weight.requires_grad)


def _swiglu(mlp: nn.Module, int8: bool) -> Swiglu:
    return Swiglu(_matrix([mlp.gate_proj, mlp.up_proj], int8), _matrix([mlp.down_proj], int8))


def _experts(mlp: nn.Module, int8: bool) -> Experts:
    router, shared = mlp.gate.weight.detach().float(), _swiglu(mlp.shared_experts, int8)
    if int8:
        packed = tuple(_swiglu(expert, True) for expert in mlp.experts)
        return Experts(router, mlp.k, shared, None, None, packed)
    gate_up = torch.stack([torch.cat([e.gate_proj.weight, e.up_proj.weight]) for e in mlp.experts])
    down = torch.stack([e.down_proj.weight for e in mlp.experts])
    for expert, both, last in zip(mlp.experts, gate_up, down, strict=True):
        _become_views([expert.gate_proj, expert.up_proj], both)
        _become_views([expert.down_proj], last)
    return Experts(router, mlp.k, shared, gate_up, down)


def int8_bytes(model: OcrModel, encoder: torch.dtype = torch.float32) -> int:
    """Bytes of all weights with the decoder in int8; embeddings and norms stay as they are. By arithmetic:
    works on the meta device."""
    total = 0
    for name, tensor in model.state_dict().items():
        if name.startswith(("model.sam_model.", "model.vision_model.", "model.projector.")):
            total += tensor.numel() * encoder.itemsize
        elif tensor.dim() == 2 and not name.endswith(("embed_tokens.weight", "mlp.gate.weight")):
            total += tensor.numel() + 4 * tensor.shape[0]
        elif name.endswith("mlp.gate.weight"):
            total += 4 * tensor.numel()
        else:
            total += tensor.numel() * tensor.element_size()
    return total
