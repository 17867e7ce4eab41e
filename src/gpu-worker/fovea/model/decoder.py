"""The decoder: Llama attention, with a mixture of experts in place of the MLP in all layers except the first."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fovea.model.config import DecoderConfig


class RmsNorm(nn.Module):
    """Computed in fp32; the weight is applied after the cast to the input's type."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


SMALL = 16
"""With at most this many experts, training on a GPU computes all of them for every token."""


@dataclass(slots=True)
class KvCache:
    """Keys and values of all positions so far: (depth, B, heads, capacity, D) each. `prompt`: length of the prompt,
    which matters if the model has a window; by default that of the first step.
    """

    keys: Tensor
    values: Tensor
    length: int = 0
    prompt: int | None = None

    @property
    def capacity(self) -> int:
        return self.keys.shape[3]

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends k, v (B, heads, T, D) of a layer and returns all keys and values. Does not change `length`."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


def visible(queries: Tensor, keys: Tensor, prompt: Tensor | int, window: int | None) -> Tensor:
    """Which keys a query sees (…, T, K), from positions `queries` (…, T) and `keys` (K,) in a sequence.

    Attention is causal. With `window`, a query sees all of the prompt and, of the generated positions, itself and the
    `window` - 1 before it ("reference sliding window attention", arXiv 2606.23050). `prompt` (…): length of the prompt.
    """
    seen = keys <= queries[..., None]
    if window is None:
        return seen
    near = queries[..., None] - keys < window
    if isinstance(prompt, Tensor):
        prompt = prompt[..., None, None]
    return seen & (near | (keys < prompt))


def rotary(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """cos and sin (T, D) in fp32 of `positions` (T,)."""
    frequencies = theta ** (-torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim)
    angles = positions.float()[:, None] * frequencies  # (T, D/2)
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates x (B, heads, T, D). The pairs are the two halves of D (as in Llama), not neighboring dimensions."""
    first, second = x.chunk(2, -1)
    return (x * cos + torch.cat([-second, first], -1) * sin).to(x.dtype)


def _causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, all tensors (B, heads, T, D).

    Training in bf16 on a CPU does not use the fused kernel, because it is 2.5 to 4 times slower, including backward.
    """
    if not (q.requires_grad and q.device.type == "cpu" and q.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[2]
    future = torch.full((length, length), float("-inf"), dtype=q.dtype).triu(1)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + future
    return scores.softmax(-1) @ v


class Attention(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.heads = config.heads
        inner = config.heads * config.head_dim
        self.q_proj = nn.Linear(config.width, inner, bias=False)
        self.k_proj = nn.Linear(config.width, inner, bias=False)
        self.v_proj = nn.Linear(config.width, inner, bias=False)
        self.o_proj = nn.Linear(inner, config.width, bias=False)

    def forward(
        self,
        x: Tensor,
        place: tuple[Tensor, Tensor],
        layer: int,
        cache: KvCache | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """x (B, T, C). `mask` (T, K): see `visible`; `None`: the positions are all so far, or a single new one."""
        batch, length, _ = x.shape
        q, k, v = (
            proj(x).view(batch, length, self.heads, -1).transpose(1, 2)  # (B, heads, T, D)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *place), rotate(k, *place)
        if cache:
            k, v = cache.extend(layer, k, v)
        if mask is None:
            # A single new token sees everything.
            out = _causal(q, k, v) if length > 1 else F.scaled_dot_product_attention(q, k, v)
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class MixtureOfExperts(nn.Module):
    """Each token goes to its k most likely experts and to the shared expert."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.k = config.experts_per_token
        self.gate = nn.Linear(config.width, config.experts, bias=False)
        self.experts = nn.ModuleList(Mlp(config.width, config.expert_mlp) for _ in range(config.experts))
        self.shared_experts = Mlp(config.width, config.shared_mlp)

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, C) -> probabilities (N, k) in fp32 and expert numbers (N, k).

        The probabilities are from the softmax over all experts. They are *not* normalized over the chosen k
        (`norm_topk_prob` is false in the official configuration).
        """
        probabilities = F.linear(x.float(), self.gate.weight.float()).softmax(-1)
        return probabilities.topk(self.k, dim=-1, sorted=False)

    def forward(self, x: Tensor) -> Tensor:
        """Runs each expert once, over all of its tokens."""
        flat = x.reshape(-1, x.shape[-1])  # (N, C)
        if x.is_cuda and x.requires_grad and len(self.experts) <= SMALL:
            return (self._all(flat) + self.shared_experts(flat)).view(x.shape)
        weights, chosen = self.route(flat)
        order = chosen.flatten().argsort(stable=True)  # indices into (N·k), sorted by expert
        counts = chosen.flatten().bincount(minlength=len(self.experts)).tolist()
        inputs = flat[order // self.k].split(counts)  # for each expert (its tokens, C)
        answers = torch.cat([e(some) for e, some in zip(self.experts, inputs, strict=True) if len(some)])
        answers = answers[order.argsort()].view(*weights.shape, -1)  # (N, k, C), in the order of tokens
        # Not `index_add`, which on a GPU adds in any order: the same page must give the same answer.
        out = (answers.float() * weights[..., None]).sum(1)
        return (out.to(x.dtype) + self.shared_experts(flat)).view(x.shape)

    def _all(self, flat: Tensor) -> Tensor:
        """Runs every expert over all tokens, with weight 0 if it was not chosen.

        With few experts this is faster in training on a GPU than sorting the tokens.
        """
        weights, chosen = self.route(flat)
        weights = torch.zeros(len(flat), len(self.experts), device=flat.device).scatter(1, chosen, weights)
        gate, up = (
            F.linear(flat, torch.cat([getattr(expert, name).weight for expert in self.experts]))
            for name in ("gate_proj", "up_proj")
        )
        inner = (F.silu(gate) * up).view(*weights.shape, -1) * weights[..., None].to(gate.dtype)
        return F.linear(inner.flatten(1), torch.cat([expert.down_proj.weight for expert in self.experts], 1))

    def plain(self, x: Tensor) -> Tensor:
        """The reference, token by token and expert by expert. Tests compare `forward` to it."""
        flat = x.reshape(-1, x.shape[-1])
        weights, chosen = self.route(flat)
        routed = [
            sum(
                weight * self.experts[int(expert)](token).float()
                for weight, expert in zip(ws, es, strict=True)
            )
            for token, ws, es in zip(flat, weights, chosen, strict=True)
        ]
        return (torch.stack(routed).to(x.dtype) + self.shared_experts(flat)).view(x.shape)


class Layer(nn.Module):
    def __init__(self, config: DecoderConfig, dense: bool):
        super().__init__()
        self.input_layernorm = RmsNorm(config.width, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(config.width, config.norm_eps)
        self.mlp = Mlp(config.width, config.dense_mlp) if dense else MixtureOfExperts(config)

    def forward(
        self,
        x: Tensor,
        place: tuple[Tensor, Tensor],
        layer: int,
        cache: KvCache | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), place, layer, cache, mask)
        return x + self.mlp(self.post_attention_layernorm(x))
