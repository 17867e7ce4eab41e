"""Loading and saving safetensors, tensor by tensor, and the digest that names what was loaded."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

SHARD_BYTES = 4_000_000_000


class CheckpointError(ValueError):
    """The files do not hold the model that was asked for. The message names every difference."""


def checkpoint_files(path: Path) -> list[Path]:
    """One `.safetensors` file, or all those of a folder. Raises `CheckpointError`."""
    if path.is_file():
        return [path]
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if not files:
        raise CheckpointError("there is no safetensors file")
    return files


def load_checkpoint(
    model: nn.Module, path: str | Path, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> str:
    """Fills `model`, built on the meta device or not, and returns the digest of what was read.

    Each tensor is read, cast and put in its place before the next one, so there is never a second copy of the
    model. `dtype` None keeps the file's. Raises `CheckpointError` naming all tensors that are missing,
    unexpected or of another shape; the model is unchanged then.
    """
    files = checkpoint_files(Path(path))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    _compare(wanted, _shapes(files))
    digest = hashlib.sha256()
    for name, tensor in _tensors(files):
        _update(digest, name, tensor)
        floating = tensor.is_floating_point()
        tensor = tensor.to(device=device, dtype=dtype if dtype and floating else tensor.dtype)
        owner, _, leaf = name.rpartition(".")
        module = model.get_submodule(owner)
        if leaf in module._buffers:
            module._buffers[leaf] = tensor
        else:
            old = getattr(module, leaf)
            setattr(module, leaf, nn.Parameter(tensor, requires_grad=old.requires_grad and floating))
    return f"sha256:{digest.hexdigest()}"


def checkpoint_digest(path: str | Path) -> str:
    """SHA-256 over name, dtype, shape and bytes of every tensor, by name: how it is cut into files is no matter."""
    digest = hashlib.sha256()
    for name, tensor in _tensors(checkpoint_files(Path(path))):
        _update(digest, name, tensor)
    return f"sha256:{digest.hexdigest()}"


def save_checkpoint(model: nn.Module, folder: str | Path, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Writes `model-00001-of-0000N.safetensors` and, with more than one, the usual index beside them."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in model.state_dict().items():
        bytes_ = tensor.numel() * tensor.element_size()
        if shards[-1] and size + bytes_ > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor.detach().cpu().contiguous()
        size += bytes_
    paths = []
    for number, shard in enumerate(shards, 1):
        paths.append(folder / f"model-{number:05}-of-{len(shards):05}.safetensors")
        save_file(shard, paths[-1], metadata={"format": "pt"})
    if len(shards) > 1:
        index = {name: path.name for path, shard in zip(paths, shards, strict=True) for name in shard}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}, indent=1))
    return paths


def _shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - the handle is not a dictionary
                if name in shapes:
                    raise CheckpointError(f"{name} is in two files")
                shapes[name] = tuple(file.get_slice(name).get_shape())
    return shapes


def _tensors(files: list[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors by name. A file stays open while its tensors come: they are views of it."""
    places = {}
    for path in files:
        with safe_open(path, "pt") as file:
            places.update(dict.fromkeys(file.keys(), path))
    handles: dict[Path, safe_open] = {}
    for name in sorted(places):
        path = places[name]
        if path not in handles:
            handles[path] = safe_open(path, "pt").__enter__()
        yield name, handles[path].get_tensor(name)


def _update(digest: "hashlib._Hash", name: str, tensor: torch.Tensor) -> None:
    digest.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
    digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())


def _compare(wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    faults = [f"missing: {name} {list(shape)}" for name, shape in wanted.items() if name not in found]
    faults += [f"unexpected: {name} {list(shape)}" for name, shape in found.items() if name not in wanted]
    faults += [
        f"shape: {name} is {list(found[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    if faults:
        raise CheckpointError("the checkpoint does not fit the model:\n" + "\n".join(faults))
