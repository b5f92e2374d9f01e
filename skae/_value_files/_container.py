"""Bytes on disk: a document and tensors as one safetensors file that is whole or refused.

The document is the only metadata of the file, as JSON. The last tensor is the SHA-256 of all bytes
before it, so that a file of ours is one that any reader of safetensors opens, and a change of any
bit is noticed: the header, the numbers and the digest itself.
"""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from ..exceptions import ModelFileError

FORMAT = 1  # of the document; raised when an older skae could not read what a newer one writes

_PACKAGES = ("skae", "torch", "scikit-learn", "numpy")

_DOCUMENT = "skae"  # the key of the document in the metadata
_DIGEST = "~sha256"  # sorts after all names, and bytes come after all wider numbers
_DIGEST_SIZE = 32
_LENGTH_SIZE = 8  # bytes that say how long the header is

# A header that fits these can't become more than a hundred megabytes of objects.
_LONGEST_HEADER = 4 * 2**20
_MOST_BRACKETS = 100_000

_CHUNK = 2**20

# What numpy calls a safetensors dtype. Truth values are bytes, or they would follow the digest.
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
}


class Contents(NamedTuple):
    """What a file holds."""

    document: dict[str, Any]
    sizes: dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape of each tensor
    tensors: dict[str, np.ndarray]  # empty, where only the document was asked for


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide the numbers."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # it runs from where it was not installed
        return "unknown"


# Writing


def write(path, document: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Write a file in the place of what is there, or leave that as it is.

    Parameters
    ----------
    path : str or path-like
    document : dict
        Of what JSON knows: no other objects, and no numbers that are not finite.
    tensors : dict of str to ndarray
        By ASCII names, of the dtypes that `Contents` may have.

    Raises
    ------
    OSError
        If it can't be written; the old file is there, then, and nothing else.
    ValueError
        If there is more in the document than a reader takes.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    digest = {_DIGEST: np.zeros(_DIGEST_SIZE, dtype=np.uint8)}
    data = memoryview(safetensors.numpy.save({**tensors, **digest}, {_DOCUMENT: text}))
    header_size = int.from_bytes(data[:_LENGTH_SIZE], "little")
    if header_size > _LONGEST_HEADER or _brackets(text) > _MOST_BRACKETS:
        raise ValueError(
            f"{os.fspath(path)} would need a header of {header_size} bytes, more than a reader "
            f"takes ({_LONGEST_HEADER}, and {_MOST_BRACKETS} lists in it): what is stored has too "
            "many single values. Lists of numbers may be as long as they like."
        )
    content = data[:-_DIGEST_SIZE]
    _replace(path, [content, hashlib.sha256(content).digest()])


def _replace(path, pieces: list) -> None:
    """Put a new file in the place of the old one, or raise an OSError and leave that."""
    # A link stays a link, to the new file.
    folder, name = os.path.split(os.path.realpath(os.fsdecode(path)))
    _sweep(folder, name)
    with _new_file(folder, name) as (file, show):
        for piece in pieces:
            for start in range(0, len(piece), _CHUNK):
                file.write(piece[start : start + _CHUNK])
        file.flush()
        if hasattr(os, "fchmod") and os.path.exists(path):  # with the rights of the old one
            os.fchmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
        os.fsync(file.fileno())
        os.replace(show(), os.path.join(folder, name))
    _sync_folder(folder)


@contextmanager
def _new_file(folder: str, name: str) -> Iterator[tuple[IO[bytes], Callable[[], str]]]:
    """Open a file for writing that has a name only once it is asked to show itself.

    Without a name it leaves nothing behind, whenever the process is killed. Where a file system has
    no such files, it has a name from the start, and is taken away if the block fails. Either way it
    is locked as long as the process lives: `_sweep` takes away what nobody holds.
    """
    part = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
    nameless = _nameless(folder)
    named = nameless is None
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY
    descriptor = os.open(part, flags, 0o666) if nameless is None else nameless

    def show() -> str:
        nonlocal named
        if os.name == "nt":  # which renames no file that is open
            file.close()
        if not named:
            # With a folder of its own the call follows the link in /proc to the file itself.
            here = os.open(folder, os.O_RDONLY)
            try:
                source = f"/proc/self/fd/{descriptor}"
                os.link(source, part, src_dir_fd=here, follow_symlinks=True)
            finally:
                os.close(here)
            named = True
        return part

    try:
        with open(descriptor, "wb") as file:
            _lock(file.fileno())
            yield file, show
    except BaseException:
        if named:
            with suppress(FileNotFoundError):  # it has been put in its place
                os.unlink(part)
        raise


_BINARY = getattr(os, "O_BINARY", 0)  # of Windows


def _nameless(folder: str) -> int | None:
    """Open a file without a name in a folder, if its file system has such files."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise


def _lock(descriptor: int) -> bool:
    """Lock a file for as long as it is open; return whether nobody else has."""
    try:
        import fcntl
    except ImportError:  # Windows, where nobody can take away an open file
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return False
    return True


def _sweep(folder: str, name: str) -> None:
    """Take away what a killed process may have left of an earlier write to this name."""
    with os.scandir(folder) as entries:
        part = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.part")
        left = [entry.path for entry in entries if part.fullmatch(entry.name)]
    for path in left:
        with suppress(OSError):  # it may be in use, or gone
            with open(path, "rb") as file:
                nobody_writes = _lock(file.fileno())
            if nobody_writes:
                os.unlink(path)


@contextmanager
def hold(path: str | None) -> Iterator[None]:
    """Hold a path, if there is one, against all others that hold it, in whatever process.

    Raises
    ------
    BlockingIOError
        If somebody holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        fcntl = None  # type: ignore[assignment]
    if path is None or fcntl is None:
        yield
        return
    folder, name = os.path.split(os.path.realpath(path))
    lock = os.path.join(folder, f".{name}.lock")
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(
                    f"{path} is that of a fit that goes on, here or in another process. Each fit "
                    "that goes on at the same time needs a path of its own."
                ) from error
            except OSError:  # a file system without locks
                pass
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                    break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # who held it has taken it away
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(lock)
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Make sure that a new name survives a power cut."""
    if os.name == "nt":  # where folders can't be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reading


def read(path, newest_format: int) -> Contents:
    """Read a file as a whole.

    Parameters
    ----------
    path : str or path-like
    newest_format : int
        The newest version of the document, its value ``"format"``, that the caller knows.

    Raises
    ------
    ModelFileError
        If it is no such file, newer, or has changed in any bit since it was written.
    OSError
        If it can't be read.
    """
    with _opened(path) as (file, size):
        header = _header(file, path, size)
        document, sizes = _parts(header, path, size, newest_format)
        file.seek(0)
        try:
            data = file.read(size)
        except MemoryError as error:
            raise ModelFileError(
                f"{os.fspath(path)}: its {size} bytes do not fit into the memory."
            ) from error
    if len(data) != size:
        raise ModelFileError(f"{os.fspath(path)}: it has changed while it was read.")
    _compare(hashlib.sha256(memoryview(data)[:-_DIGEST_SIZE]), data[-_DIGEST_SIZE:], path)
    try:
        tensors = safetensors.numpy.load(data)
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(f"{os.fspath(path)}: its tensors can't be read: {error}") from error
    del tensors[_DIGEST]
    return Contents(document, sizes, tensors)


def read_document(path, newest_format: int) -> Contents:
    """Read the document of a file alone; all of the file is compared with its digest.

    Parameters and errors are those of `read`.
    """
    with _opened(path) as (file, size):
        header = _header(file, path, size)
        document, sizes = _parts(header, path, size, newest_format)
        file.seek(0)
        digest, left = hashlib.sha256(), size - _DIGEST_SIZE
        while left and (chunk := file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        _compare(digest, file.read(), path)
    return Contents(document, sizes, {})


@contextmanager
def _opened(path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file; others may have no end, or wait for somebody."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ModelFileError(f"{os.fspath(path)}: it is not a regular file.")
    with open(path, "rb") as file:
        yield file, os.fstat(file.fileno()).st_size


def _header(file: BinaryIO, path, size: int) -> bytes:
    """Return the header, whose length is held against the size of the file first."""
    length = int.from_bytes(file.read(_LENGTH_SIZE), "little")
    if not 2 <= length <= min(_LONGEST_HEADER, size - _LENGTH_SIZE - _DIGEST_SIZE):
        raise ModelFileError(
            f"{os.fspath(path)}: it is not a model file of skae, or it is cut short ({size} bytes "
            f"with a header of {length})."
        )
    return file.read(length)


def _parts(header: bytes, path, size: int, newest_format: int):
    """Return the document, and the dtypes and shapes of the tensors, which fill the file."""
    try:
        entries = _parse(header.decode("ascii"))
        metadata = entries.pop("__metadata__")
        if not isinstance(metadata, dict) or [*metadata] != [_DOCUMENT]:
            raise ValueError(f"the metadata are not those of skae: {[*metadata]}")
        document = _parse(metadata[_DOCUMENT])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelFileError(
            f"{os.fspath(path)}: it is not a model file of skae, or it is damaged: its header "
            f"can't be read ({type(error).__name__}: {str(error)[:200]})."
        ) from error
    version = document.get("format") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise ModelFileError(
            f"{os.fspath(path)}: it has no version of its format, a number from 1 on."
        )
    if version > newest_format:
        raise ModelFileError(
            f"{os.fspath(path)}: it has format {version}, and this version of skae knows "
            f"{newest_format}. Read it with a newer one."
        )
    start = _LENGTH_SIZE + len(header)
    try:
        sizes = _sizes(entries, size - start)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(
            f"{os.fspath(path)}: its tensors do not fill the file, which may be cut short: {error}"
        ) from error
    return document, sizes


def _sizes(entries: dict[str, Any], n_bytes: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype and shape of each tensor, if they lie side by side and fill the bytes."""
    sizes, end = {}, 0
    for name, entry in sorted(entries.items(), key=lambda pair: pair[1]["data_offsets"]):
        if {*entry} != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name!r} has other keys: {[*entry]}")
        dtype, shape, (first, last) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, first, last)):
            raise ValueError(f"{name!r} has a size that is not a number from 0 on")
        if first != end or last - first != math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(
                f"{name!r} does not lie where it must, or is not as long as it must be"
            )
        sizes[name], end = (dtype, tuple(shape)), last
    if end != n_bytes:
        raise ValueError(f"the header tells of {end} bytes of numbers, the file has {n_bytes}")
    if name != _DIGEST or sizes.pop(_DIGEST) != ("uint8", (_DIGEST_SIZE,)):
        raise ValueError("the last tensor is not the digest")
    return sizes


def _parse(text: str) -> Any:
    """Return what a JSON text says, if no key is there twice and all numbers are finite."""
    if _brackets(text) > _MOST_BRACKETS:
        raise ValueError(f"more than {_MOST_BRACKETS} lists and objects")
    return json.loads(
        text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite
    )


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} stands where a number is due")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _compare(digest, stored: bytes, path) -> None:
    if digest.digest() != stored:
        raise ModelFileError(
            f"{os.fspath(path)}: it is damaged: its bytes are not those that were written (the "
            "SHA-256 is another). Take a copy that is whole."
        )
