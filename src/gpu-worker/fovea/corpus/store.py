"""The folder that a run writes: local, or an object store that fsspec knows. A file appears whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from fovea.corpus.options import InputError

CHUNK = 1 << 20
PROBE = ".fovea-can-write"


class StoreFault(Exception):
    """Writing failed while a run was under way, for example because a disk is full. What was written before stays."""


def file_system(url: str) -> tuple[Any, str]:
    """The file system of an address or path, and the path in it. Raises `InputError`."""
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise InputError(f"{url}: {error}. The Python group `corpus` has s3fs and gcsfs.") from None
    except Exception as error:
        raise InputError(f"{url}: {_first_line(error)}") from None


class Store:
    """Files by their names below the folder, with `/` between folders. Raises `StoreFault` when it cannot write."""

    def __init__(self, url: str):
        """Raises `InputError` for an address that no file system serves."""
        self.url = url
        self._files, self._root = file_system(url)
        self._local = isinstance(self._files, LocalFileSystem)

    def check(self) -> None:
        """Raises `InputError` if nothing can be written, for example without credentials."""
        try:
            self.write(PROBE, b"")
            self._files.rm_file(self._path(PROBE))
        except Exception as error:
            raise InputError(f"{self.url} cannot be written: {_first_line(error)}") from None

    def read(self, name: str) -> bytes | None:
        """`None` if there is no such file."""
        try:
            return self._files.cat_file(self._path(name))
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        with self._files.open(self._path(name), "rb") as file:
            yield file

    def names(self, folder: str) -> set[str]:
        """The names of the files in a folder."""
        self._files.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            return {path.rpartition("/")[2] for path in self._files.ls(self._path(folder), detail=False)}
        return set()

    def write(self, name: str, data: bytes) -> None:
        with self.writing(name) as file:
            file.write(data)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file that appears under its name when the block ends without an error."""
        path = self._path(name)
        try:
            if self._local:
                with _written_beside(Path(path)) as file:
                    yield file
                return
            file = self._files.open(path, "wb", autocommit=False)
            try:
                yield file
                file.close()
                file.commit()
            except BaseException:
                # Nothing of it is kept, whether or not the store can be told so now.
                with contextlib.suppress(Exception):
                    file.discard()
                raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "there is no space left" if full else _first_line(error)
            raise StoreFault(f"{self.url}/{name} was not written: {why}") from error

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


@contextlib.contextmanager
def _written_beside(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def copy(source: IO[bytes], target: Any, length: int) -> None:
    """Copies `length` bytes from where `source` stands."""
    for start in range(0, length, CHUNK):
        target.write(source.read(min(CHUNK, length - start)))


def clear_leftovers(store: Store, folder: str) -> None:
    """Removes what killed processes were writing. Only local folders have such files."""
    if store._local:
        for file in Path(store._path(folder)).glob(".*.*"):
            file.unlink(missing_ok=True) if file.is_file() else shutil.rmtree(file)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
