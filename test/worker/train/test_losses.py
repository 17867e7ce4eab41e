from dataclasses import replace

import pytest
import torch
from train_support import MATERIAL, TINY

from fovea.language.tokenizer import Tokenizer
from fovea.model import OcrModel
from fovea.model.decoder import MixtureOfExperts, rotary, rotate
from fovea.nano.places import FIRST
from fovea.train.batches import IGNORED, Stream
from fovea.train.losses import GUIDED_HEADS, GUIDED_LAYERS, Heads, Weights, _activations, _balance, compute
from fovea.train.strips import Style

TOKENIZER = Tokenizer.characters()


@pytest.fixture
def batch():
    style = Style(smallest=24, largest=30, packed=0, empty=0, data=MATERIAL)
    return Stream(style, count=2).pool(0, TOKENIZER)[0]


def losses(model, heads, batch, corruption=0.0, decode=True):
    return compute(model, heads, batch, Weights(), corruption, decode=decode)


def test_all_losses_fall_when_the_same_strips_are_seen_again_and_again(batch):
    torch.manual_seed(0)
    model = OcrModel(TINY).init_weights()
    heads = Heads(TINY)
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=3e-3)
    first = None
    for _ in range(12):
        now = losses(model, heads, batch)
        first = first or now
        now.total.backward()
        optimizer.step()
        optimizer.zero_grad()
    for name in ("spots", "patches", "cells", "text", "guide", "place"):
        assert now.parts[name] < first.parts[name], name


def test_the_encoder_alone_has_no_text_loss(batch):
    parts = losses(OcrModel(TINY).init_weights(), Heads(TINY), batch, decode=False).parts
    assert set(parts) == {"spots", "patches", "cells", "spots right", "patches right", "cells right"}


@pytest.mark.parametrize("name", ["spots", "patches", "cells", "guide", "place"])
def test_a_loss_that_weighs_nothing_is_left_out_and_the_others_stay_as_they_are(batch, name):
    model, heads = OcrModel(TINY).init_weights(), Heads(TINY)
    all_parts = losses(model, heads, batch).parts
    parts = compute(model, heads, batch, replace(Weights(), **{name: 0.0}), 0.0).parts
    left_out = {name, f"{name} right"} & set(all_parts)
    assert set(parts) == set(all_parts) - left_out
    assert float(parts["text"]) == pytest.approx(float(all_parts["text"]), rel=1e-4)


def test_the_text_loss_is_that_of_the_model_itself(batch):
    """Put together here view by view, as a reader does it."""
    model = OcrModel(TINY).init_weights(std=0.1).eval()
    said = losses(model, Heads(TINY), batch).parts["text"]
    rows = []
    with torch.no_grad():
        for pixels, ids in zip(batch.views(), batch.ids, strict=True):
            grid = model.encode_view(pixels[None])[0].view(2, 8, -1)
            view = torch.cat([model.with_newlines(grid), model.model.view_seperator[None]])
            embedded = model.embed(ids).clone()
            embedded[ids == TOKENIZER.image] = view
            rows.append(model(embedded[None])[0])
    logits = torch.stack(rows)
    known = batch.targets != IGNORED
    expected = torch.nn.functional.cross_entropy(logits[known], batch.targets[known])
    assert float(said) == pytest.approx(float(expected), rel=1e-4)


def test_the_guide_is_the_attention_of_the_guided_heads(batch):
    model = OcrModel(TINY).init_weights(std=0.2).eval()
    said = losses(model, Heads(TINY), batch).parts["guide"]
    with _activations(model) as seen, torch.no_grad():
        losses(model, Heads(TINY), batch)
        seen = dict(seen)
    shares = []
    length = batch.ids.shape[1]
    place = rotary(torch.arange(length), 16, 10_000.0)
    for number in GUIDED_LAYERS:
        attention, x = model.model.layers[number].self_attn, seen[f"attention {number}"]
        q, k = (
            rotate(p(x).view(2, length, 3, 16).transpose(1, 2), *place)
            for p in (attention.q_proj, attention.k_proj)
        )
        for b, t in (batch.cells != IGNORED).nonzero().tolist():
            for head in range(GUIDED_HEADS):
                weights = (q[b, head, t] @ k[b, head, : t + 1].T * 16**-0.5).softmax(-1)
                shares.append(weights[batch.cells[b, t]].log())
    assert said == pytest.approx(-float(torch.stack(shares).detach().mean()), rel=1e-4)


def test_corruption_changes_inputs_only_in_the_text(batch, monkeypatch):
    model = OcrModel(TINY).init_weights()
    seen = []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda ids: seen.append(ids) or embed(ids))
    losses(model, Heads(TINY), batch, corruption=1.0)
    before, after = seen
    first = int((batch.ids[0] == TOKENIZER.image).nonzero()[0])
    assert torch.equal(before, batch.ids[:, :first])
    prompt = int((batch.targets[0] == IGNORED).long().cumprod(0).sum()) + 1
    tail = prompt - (batch.ids.shape[1] - after.shape[1])
    assert torch.equal(after[:, :tail], batch.ids[:, batch.ids.shape[1] - after.shape[1] : prompt])
    text = batch.targets[:, prompt - 1 : -1] != IGNORED
    changed = after[:, tail:] != batch.ids[:, prompt:]
    places = batch.ids[:, prompt:] >= FIRST
    assert float(changed[text & ~places].float().mean()) > 0.9
    assert not changed[places].any()  # where to look is told, not guessed


def test_balance_is_one_for_equal_use_and_more_for_unequal(batch):
    model = OcrModel(TINY).init_weights()
    for layer in model.model.layers:
        if isinstance(layer.mlp, MixtureOfExperts):
            torch.nn.init.zeros_(layer.mlp.gate.weight)
    assert losses(model, Heads(TINY), batch).parts["balance"] == pytest.approx(1.0, abs=1e-3)
    for layer in model.model.layers:
        if isinstance(layer.mlp, MixtureOfExperts):
            layer.mlp.gate.weight.data[0] = 5.0 * torch.ones(48)
    # Every token goes to the same two of the four experts, to one of them with all its weight.
    alike = {f"mlp {number}": torch.ones(1, 10, 48) for number in range(TINY.decoder.depth)}
    assert float(_balance(model, alike).detach()) == pytest.approx(2.0, abs=1e-3)
