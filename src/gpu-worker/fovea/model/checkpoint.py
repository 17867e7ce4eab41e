"""Loads and saves safetensors, tensor by tensor, and computes the digest of the weights.

A tensor is stored unchanged, or as int8 with the scales of its rows in `NAME.scale` (`fovea.model.int8`). Such a pair
is loaded as one floating-point tensor.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from fovea.model.int8 import from_int8, to_int8

SHARD_BYTES = 4_000_000_000
INDEX = "model.safetensors.index.json"
SCALE = ".scale"
MIN_INT8 = 4096
"""Smaller tensors are not stored as int8."""
FORMAT = {"format": "pt"}
INT8_FORMAT = FORMAT | {"int8": "NAME * NAME.scale, a scale for each index of the first dimension"}
"""Metadata in the file's header."""


class CheckpointError(ValueError):
    """The files do not match the model. The message lists every difference."""


def checkpoint_files(path: Path) -> list[Path]:
    """The `.safetensors` file `path`, or all such files in the folder `path`. Raises `CheckpointError`."""
    if path.is_file():
        return [path]
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if not files:
        raise CheckpointError("there is no safetensors file")
    return files


def load_checkpoint(
    model: nn.Module,
    path: str | Path,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    skip: tuple[str, ...] = (),
) -> str:
    """Loads weights into `model`, which can be on the meta device, and returns their digest.

    Tensors are loaded one by one, so there is never a second copy of the model. `dtype=None` keeps the types of the
    file; for int8, the type of the scales. Tensors whose names begin with one of `skip` are checked and part of the
    digest, but not loaded. Raises `CheckpointError` for tensors that are missing, unexpected or of
    another shape, and for scales that are not valid; then the model is unchanged.
    """
    files = checkpoint_files(Path(path))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = _found(files)
    scales, faults = _scales(files, found, wanted)
    shapes = {name: one.shape for name, one in found.items() if name in wanted or not name.endswith(SCALE)}
    faults += _differences(wanted, shapes)
    if faults:
        raise CheckpointError("the checkpoint does not fit the model:\n" + "\n".join(faults))
    digest = hashlib.sha256()
    for name, tensor in _tensors(files):
        _update(digest, name, tensor)
        if name not in wanted or name.startswith(skip):  # not wanted: a scale
            continue
        kind = tensor.dtype
        if name in scales:
            tensor, kind = from_int8(tensor, scales[name]), scales[name].dtype
        floating = tensor.is_floating_point()
        tensor = tensor.to(device=device, dtype=dtype if dtype and floating else kind)
        owner, _, leaf = name.rpartition(".")
        module = model.get_submodule(owner)
        if leaf in module._buffers:
            module._buffers[leaf] = tensor
        else:
            old = getattr(module, leaf)
            setattr(module, leaf, nn.Parameter(tensor, requires_grad=old.requires_grad and floating))
    return f"sha256:{digest.hexdigest()}"


def checkpoint_digest(path: str | Path) -> str:
    """SHA-256 of name, dtype, shape and bytes of every tensor, sorted by name, however they are split into files."""
    digest = hashlib.sha256()
    for name, tensor in _tensors(checkpoint_files(Path(path))):
        _update(digest, name, tensor)
    return f"sha256:{digest.hexdigest()}"


def save_checkpoint(
    model: nn.Module, folder: str | Path, shard_bytes: int = SHARD_BYTES, int8: bool = False
) -> list[Path]:
    """Writes `model-00001-of-0000N.safetensors` and, for several files, the usual index. Returns the files' paths.

    Files of an earlier call that are no longer needed are removed. With `int8`, floating-point tensors with at least
    two dimensions and `MIN_INT8` values are stored as int8 with scales in bf16, all others in bf16.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in _as_stored(model.state_dict(), int8):
        bytes_ = tensor.numel() * tensor.element_size()
        if shards[-1] and size + bytes_ > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += bytes_
    paths = []
    for number, shard in enumerate(shards, 1):
        paths.append(folder / f"model-{number:05}-of-{len(shards):05}.safetensors")
        save_file(shard, paths[-1], metadata=INT8_FORMAT if int8 else FORMAT)
    if len(shards) > 1:
        index = {name: path.name for path, shard in zip(paths, shards, strict=True) for name in shard}
        (folder / INDEX).write_text(json.dumps({"weight_map": index}, indent=1))
    else:
        (folder / INDEX).unlink(missing_ok=True)
    for old in set(folder.glob("model-?????-of-?????.safetensors")) - set(paths):
        old.unlink()
    return paths


def _as_stored(state: dict[str, torch.Tensor], int8: bool) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        if not (int8 and tensor.is_floating_point()):
            yield name, tensor
        elif tensor.dim() < 2 or tensor.numel() < MIN_INT8:
            yield name, tensor.bfloat16()
        else:
            values, scales = to_int8(tensor, torch.bfloat16)
            yield name, values
            yield name + SCALE, scales


class _Found(NamedTuple):
    shape: tuple[int, ...]
    kind: str
    """The type's name in safetensors: `I8`, `BF16`, …"""


def _found(files: list[Path]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for path in files:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - the handle is not a dictionary
                if name in found:
                    raise CheckpointError(f"{name} is in two files")
                part = file.get_slice(name)
                found[name] = _Found(tuple(part.get_shape()), part.get_dtype())
    return found


def _scales(
    files: list[Path], found: dict[str, _Found], wanted: dict[str, tuple[int, ...]]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The scales of the int8 tensors, by the tensor's name, and a list of errors."""
    int8 = {name for name, one in found.items() if one.kind == "I8"}
    faults = [f"int8 without scale: {name}" for name in sorted(int8) if name + SCALE not in found]
    scales = {}
    for name, tensor in _tensors(files, {n for n in found if n.endswith(SCALE) and n not in wanted}):
        owner = name.removesuffix(SCALE)
        if owner not in int8:
            faults.append(f"scale without int8 tensor: {name}")
        elif len(shape := found[owner].shape) < 2 or tensor.shape != shape[:1]:
            faults.append(f"shape: {name} is {list(tensor.shape)}, of a tensor {list(shape)}")
        elif not (tensor.is_floating_point() and tensor.isfinite().all() and (tensor > 0).all()):
            faults.append(f"not all finite and positive: {name}")
        else:
            scales[owner] = tensor.clone()
    return scales, faults


def _tensors(files: list[Path], names: set[str] | None = None) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors, or those in `names`, sorted by name. Files stay open, because the tensors are views of them."""
    places = {}
    for path in files:
        with safe_open(path, "pt") as file:
            places.update(dict.fromkeys(file.keys(), path))
    handles: dict[Path, safe_open] = {}
    for name in sorted(places if names is None else names):
        path = places[name]
        if path not in handles:
            handles[path] = safe_open(path, "pt").__enter__()
        yield name, handles[path].get_tensor(name)


def _update(digest: "hashlib._Hash", name: str, tensor: torch.Tensor) -> None:
    digest.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
    digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())


def _differences(wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> list[str]:
    faults = [f"missing: {name} {list(shape)}" for name, shape in wanted.items() if name not in found]
    faults += [f"unexpected: {name} {list(shape)}" for name, shape in found.items() if name not in wanted]
    return faults + [
        f"shape: {name} is {list(found[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
