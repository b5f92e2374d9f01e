"""What sources read from: a class for each kind of file and array that is not in memory."""

import math
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ._source import RowSource, bytes_of

DEFAULT_MEMORY = "1GB"
_BATCH_VALUES = 2**18  # of Parquet that are decoded at one time


def open_rows(data, *, columns=None, key=None, memory=DEFAULT_MEMORY) -> RowSource:
    """Open rows that memory need not hold, for an autoencoder to learn from.

    Parameters
    ----------
    data : str, path-like or array
        A file or what is like one: an .npy file, a Parquet file or a folder of them (.parquet), an
        HDF5 file (.h5, .hdf5) or a Zarr array (.zarr). Or an array that is read in part: a NumPy
        memory map, a `pyarrow.dataset.Dataset`, an array of `h5py`, `zarr` or `dask.array`. Or a
        sequence of chunks: any object with a length that gives arrays (n_rows, n_features), of
        different numbers of rows if need be, by their numbers from 0.

    columns : list of str or list of int, default=None
        Which columns to take, in this order: of Parquet by their names, of all else by their
        numbers. None takes all of them, but for what pandas wrote as the index of a frame.

    key : str, default=None
        The name of the array in an HDF5 file or in a group of Zarr. None takes the only one.

    memory : int or str, default="1GB"
        Bytes that rows may take at one time, as a number or as text like "500MB". What torch and
        the network take comes beside it. If all rows fit, they are fitted as an array.

    Returns
    -------
    source : RowSource
        What `skae.AutoencoderTransformer` takes in the place of X, in `fit`, `partial_fit`,
        `transform`, `inverse_transform`, `score`, `score_samples` and `reconstruction_error`.
        Other estimators take it if all rows fit into memory, as ``source.fits`` tells.
        ``source.shape``, ``source.dtype`` and ``source.feature_names`` are those of the rows.
        ``source[start:stop]`` and ``source[indices]`` are arrays of some of them,
        ``source.blocks()`` goes through all, a few megabytes at a time, and ``source.save(path)``
        writes them to an .npy file, from which any can be read without those beside it.

    Raises
    ------
    ValueError
        If the data is of no known kind, or has columns that are no numbers.

    ImportError
        If the package that reads it is not installed.

    See Also
    --------
    skae.AutoencoderTransformer : What learns from them.

    Notes
    -----
    A fit to rows that do not fit into memory is one to the array, but for this. Equal rows are not
    merged, and stay on one side of what is held out, which a hash of each row decides. Batches
    come from blocks all over the set, as many at a time as half of the memory holds, whose rows are
    shuffled as one. At most an eighth of the memory is rows held out. There is one candidate, as
    for large arrays. Other targets than the rows themselves, splitters and ``pretrain=True`` are
    refused.

    Parquet is read by whole row groups, HDF5, Zarr and Dask by whole chunks: they should be no
    larger than an eighth of the memory.

    Files are looked at again each time that they are read; one that has changed since is an error.
    Zarr is not watched.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.datasets import open_rows
    >>> random = np.random.RandomState(0)
    >>> chunks = [random.normal(size=(500, 4)) @ np.ones((4, 4)) for _ in range(8)]
    >>> source = open_rows(chunks, memory="200kB")
    >>> source
    <RowSource of 4,000 rows and 4 columns, float64, 128 kB: 8 chunks, read a block at a time within
    200 kB>
    >>> autoencoder = AutoencoderTransformer(1, max_iter=1, random_state=0).fit(source)
    >>> autoencoder.transform(source).shape
    (4000, 1)
    """
    if isinstance(data, RowSource):
        raise ValueError(f"{data!r} is open already; open what it was opened from.")
    columns = None if columns is None else list(columns)
    if isinstance(data, str | os.PathLike):
        engine = _engine_of_path(data, key, columns)
    else:
        engine = _engine_of(data, columns)
    if engine is None:
        raise ValueError(
            f"{type(data).__name__} is of no kind that is read a block at a time; expected a path, "
            "a NumPy memory map, a pyarrow.dataset.Dataset, an array of h5py, zarr or dask, or a "
            "sequence of arrays. Arrays and sparse matrices are fitted as they are."
        )
    if columns is not None and not isinstance(engine, ParquetRows):
        engine = _Taken(engine, columns)
    if engine.shape[0] < 1 or engine.shape[1] < 1:
        raise ValueError(f"{engine} has shape {engine.shape}: there is nothing to read.")
    return RowSource(engine, bytes_of(memory))


def source_of(X) -> RowSource | None:
    """Return the source that X is or is to be read as, or None if X is rows in memory."""
    if isinstance(X, RowSource):
        return X
    if hasattr(X, "to_dask_array"):
        _refuse_frame(X)
    _refuse_group(X)
    is_array = isinstance(X, np.memmap) or _library(X) in _ARRAYS
    of_numbers = getattr(getattr(X, "dtype", None), "kind", "") in tuple("biuf")
    if _is_parquet(X) or (is_array and of_numbers and getattr(X, "ndim", 0) == 2 and X.shape[0]):
        engine = _engine_of(X)
        return None if engine is None else RowSource(engine, bytes_of(DEFAULT_MEMORY))
    return None


def _library(data) -> str:
    return type(data).__module__.split(".")[0]


def _is_parquet(data) -> bool:
    return type(data).__module__.startswith("pyarrow._dataset")


def _engine_of(data, columns: list[str] | None = None) -> Any:
    """Return the engine that reads an object, if there is one: of Parquet, some columns only."""
    _refuse_group(data)
    if isinstance(data, np.ndarray):
        is_map = isinstance(data, np.memmap) and data._mmap is not None  # type: ignore[attr-defined]
        return MappedArray(data) if is_map else _Plain(data)
    if _library(data) in _ARRAYS and hasattr(data, "shape"):
        return _ARRAYS[_library(data)](data)
    if _is_parquet(data):
        return ParquetRows(data, columns)
    if sp.issparse(data) or hasattr(data, "dtype") or hasattr(data, "columns"):
        return None
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return Chunks(data)
    return None


def _engine_of_path(path, key: str | None, columns: list[str] | None) -> Any:
    """Return the engine that reads a file, by the ending of its name."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    ending = path.suffix.lower()
    if ending == ".npy":
        return MappedArray(np.load(path, mmap_mode="r", allow_pickle=False))
    if ending in (".h5", ".hdf5", ".hdf"):
        file = _imported("h5py", "HDF5").File(path, "r")
        return SlicedArray(_only_array(file, key, path))
    if ending == ".zarr":
        found = _imported("zarr", "Zarr").open(str(path), mode="r")
        return SlicedArray(found if hasattr(found, "dtype") else _only_array(found, key, path))
    if ending in (".parquet", ".pq") or (path.is_dir() and any(path.rglob("*.parquet"))):
        dataset = _imported("pyarrow.dataset", "Parquet")
        return ParquetRows(dataset.dataset(path, format="parquet"), columns)
    raise ValueError(
        f"{str(path)!r} has no ending that is known here; expected .npy, .parquet (or a folder of "
        "such files), .h5, .hdf5 or .zarr. Of another kind, open it yourself and give its chunks: "
        "an object with a length that returns arrays."
    )


def _imported(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise ImportError(
            f"Reading {what} needs {package}, which is not installed: pip install {package} "
            "(or pip install 'skae[scale]')."
        ) from error


def _only_array(group, key: str | None, path: Path) -> Any:
    """Return the array of a group by its name, or the only one that has rows and columns."""
    names = [name for name in group if getattr(group.get(name), "ndim", 0) == 2]
    if key is None and len(names) == 1:
        (key,) = names
    if key is None or not hasattr(group.get(key), "shape"):
        raise ValueError(
            f"{str(path)!r} has the arrays of rows {_arrays_within(group)}; give the name of one "
            f"as key, not key={key!r}."
        )
    return group[key]


def _arrays_within(group, before: str = "") -> list[str]:
    """Return the names of arrays that have rows and columns, in a group and the groups in it."""
    names = []
    for name in sorted(group):
        member = group.get(name)
        if hasattr(member, "get"):
            names += _arrays_within(member, f"{before}{name}/")
        elif getattr(member, "ndim", 0) == 2:
            names.append(before + name)
    return names


def _refuse_group(data) -> None:
    """Raise an error for a group of arrays of HDF5 or Zarr, of which one is to be chosen."""
    if _library(data) in ("h5py", "zarr") and not hasattr(data, "shape"):
        raise ValueError(
            f"X is {type(data).__name__} of {_library(data)}, which is no array but has the arrays "
            f"of rows {_arrays_within(data)}; give one of them, X[name]."
        )


class _Stamp:
    """What a file is recognized by as long as it is open: its size and when it was written."""

    def __init__(self, path) -> None:
        self.path = path
        self.seen = self._now()

    def _now(self) -> tuple[int, int]:
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns

    def check(self) -> None:
        if self._now() != self.seen:
            raise ValueError(
                f"{str(self.path)!r} has changed since it was opened. What was learnt so far is of "
                "other rows: open it anew, and fit again."
            )


def _stamp_of(path) -> _Stamp | None:
    """Return what a file is recognized by, if it has a name and is there by it."""
    return _Stamp(path) if path is not None and os.path.isfile(path) else None


def _refuse_shape(data, what: str) -> tuple[int, int]:
    """Return the shape of an array of numbers with rows and columns, or raise an error."""
    shape, dtype = tuple(data.shape), np.dtype(data.dtype)
    if any(isinstance(size, float) and math.isnan(size) for size in shape):
        raise ValueError(f"{what} has shape {shape}: give X.compute_chunk_sizes().")
    if len(shape) != 2:
        raise ValueError(f"{what} has shape {shape}, but rows and columns are needed.")
    if dtype.kind not in "biuf":
        raise ValueError(f"{what} is of dtype {dtype}, but numbers are needed.")
    return int(shape[0]), int(shape[1])


class _Plain:
    """An array in memory, of which no copy is to be made."""

    pieces = None
    header = None
    in_memory = True

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape, self.dtype = _refuse_shape(array, str(self)), array.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.array(self.array[start:stop])

    def __str__(self) -> str:
        return "an array"


class MappedArray(_Plain):
    """A NumPy memory map, of which no more stays in memory than was read last.

    Parameters
    ----------
    array : numpy.memmap
        A copy of this maps the same file again, where its name is known.
    """

    def __init__(self, array: Any) -> None:
        self.path, self.map = array.filename, array._mmap
        super().__init__(array)
        if array.mode in ("r+", "w+"):
            self.map.flush()  # which would change the file later
        self.stamp = _stamp_of(self.path)
        # Pages that nobody can have written to may be dropped, and are read again when needed.
        self.may_drop = hasattr(mmap, "MADV_DONTNEED") and array.mode == "r"
        self.place: dict[str, Any] | None = None  # in the file, unless it is of its own
        if self.stamp is not None and array.mode != "c":
            self.place = {"offset": _offset(array), "strides": array.strides}

    def __getstate__(self) -> dict[str, Any]:
        array = np.array(self.array) if self.place is None else None
        return {**self.__dict__, "map": None, "may_drop": False, "array": array}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.place is not None:
            whole: Any = np.memmap(self.path, mode="r")
            self.array = np.ndarray(self.shape, self.dtype, buffer=whole, **self.place)
            self.map, self.may_drop = whole._mmap, hasattr(mmap, "MADV_DONTNEED")

    def read(self, start: int, stop: int) -> np.ndarray:
        if self.stamp is not None:
            self.stamp.check()
        rows = super().read(start, stop)
        if self.may_drop:
            self.map.madvise(mmap.MADV_DONTNEED)
        return rows

    def __str__(self) -> str:
        return "a memory map" if self.path is None else f"the memory map {str(self.path)!r}"


def _offset(array: Any) -> int:
    """Return where in its file the first value of a memory map is, or of a part of one."""
    begin = np.frombuffer(array._mmap, dtype=np.uint8).__array_interface__["data"][0]
    mapped_from = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    return mapped_from + array.__array_interface__["data"][0] - begin


class SlicedArray:
    """An array of HDF5 or Zarr, which is read by slices and best in whole chunks.

    Parameters
    ----------
    array : h5py.Dataset or zarr.Array
        A copy of one of HDF5 opens the same file again, where its name is known.
    """

    header = None
    in_memory = False

    def __init__(self, array: Any) -> None:
        self.array, self.name = array, array.name
        self.path, self.stamp = None, None
        if _library(array) == "h5py" and array.name is not None:
            if array.file.mode != "r":
                array.file.flush()  # which would change the file later
            self.path = os.path.abspath(array.file.filename)
            self.stamp = _stamp_of(self.path)
        self.shape, self.dtype = _refuse_shape(array, str(self)), np.dtype(array.dtype)
        n_rows = None if array.chunks is None else int(array.chunks[0])
        self.pieces = None
        if n_rows is not None and n_rows > 1:
            self.pieces = np.append(np.arange(0, self.shape[0], n_rows), self.shape[0])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "array": self.array if self.stamp is None else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.stamp is not None:
            self.array = _imported("h5py", "HDF5").File(self.path, "r")[self.name]

    def read(self, start: int, stop: int) -> np.ndarray:
        if self.stamp is not None:
            self.stamp.check()
        return np.array(self.array[start:stop])

    def __str__(self) -> str:
        kind = {"h5py": "HDF5", "zarr": "Zarr"}.get(_library(self.array), "an array of")
        return f"the {kind} array {self.array.name!r}"


class _ByChunk:
    """What asks for whole chunks, and keeps the last one while parts of it are still to come."""

    last: tuple[int, Any] = (-1, None)
    pieces: np.ndarray

    def _part(self, number: int, start: int, stop: int) -> np.ndarray:
        """Return rows of a chunk, given by their places among all rows."""
        begin, end = self.pieces[number : number + 2].tolist()
        if self.last[0] != number:
            self.last = (-1, None)  # before there are two
            self.last = (number, self._whole(number, begin, end))
        rows = self.last[1][start - begin : stop - begin]
        if stop == end:
            self.last = (-1, None)
        return rows

    def _whole(self, number: int, begin: int, end: int) -> np.ndarray:
        """Return a chunk, which has the rows from one place to another."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "last": (-1, None)}


class DaskRows(_ByChunk):
    """A Dask array, whose chunks are computed when they are read.

    Parameters
    ----------
    array : dask.array.Array
    """

    header = None
    in_memory = False

    def __init__(self, array: Any) -> None:
        self.array = array
        if not hasattr(array, "chunks"):
            _refuse_frame(array)
        self.shape, self.dtype = _refuse_shape(array, str(self)), np.dtype(array.dtype)
        self.pieces = np.concatenate([[0], np.cumsum(array.chunks[0])]).astype(np.int64)

    def read(self, start: int, stop: int) -> np.ndarray:
        number = int(np.searchsorted(self.pieces, start, side="right")) - 1
        begin, end = self.pieces[number : number + 2].tolist()
        if stop > end or (start, stop) == (begin, end):
            return np.array(self.array[start:stop])
        return self._part(number, start, stop).copy()

    def _whole(self, number: int, begin: int, end: int) -> np.ndarray:
        return np.array(self.array[begin:end])

    def __str__(self) -> str:
        return f"the Dask array {self.array.name!r}"


def _refuse_frame(frame) -> None:
    """Raise an error for a frame of Dask, whose numbers of rows and names would be lost."""
    raise ValueError(
        f"X is {type(frame).__name__} of dask, which is not gathered. Fit X.to_dask_array("
        "lengths=True), which has no names, or some of the rows as a frame of pandas; methods of a "
        "fitted estimator take its partitions: X.map_partitions(autoencoder.transform)."
    )


class Chunks(_ByChunk):
    """A sequence of arrays, which are asked for one at a time.

    Parameters
    ----------
    chunks : sequence of array-like of shape (n_rows, n_features)
    """

    header = None
    in_memory = False

    def __init__(self, chunks: Sequence[Any]) -> None:
        self.chunks = chunks
        if len(chunks) == 0:
            raise ValueError("The sequence of chunks is empty; give at least one.")
        self.names: list[Any] | None = []  # until the first chunk is there
        sizes, dtypes, self.n_features = [], set(), 0
        for number in range(len(chunks)):
            chunk = self._chunk(number)
            self.n_features = self.n_features or chunk.shape[1]
            sizes.append(self._checked(number, chunk).shape[0])
            dtypes.add(chunk.dtype)
        self.pieces = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.shape = (int(self.pieces[-1]), self.n_features)
        self.dtype = np.result_type(*dtypes)

    def _chunk(self, number: int) -> np.ndarray:
        chunk = self.chunks[number]
        names = _names_of(chunk)
        if self.names == []:
            self.names = names
        if names != self.names:
            raise ValueError(
                f"Chunk {number} has the columns {names}, but chunk 0 has {self.names}; all chunks "
                "need the same columns in the same order."
            )
        chunk = chunk.toarray() if sp.issparse(chunk) else np.asarray(chunk)
        _refuse_shape(chunk, f"Chunk {number}")
        return chunk

    def _checked(self, number: int, chunk: np.ndarray) -> np.ndarray:
        if chunk.shape[1] != self.n_features:
            raise ValueError(
                f"Chunk {number} has {chunk.shape[1]} columns, but chunk 0 has {self.n_features}; "
                "all chunks need the same columns."
            )
        return chunk

    def read(self, start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, self.n_features), dtype=self.dtype)
        first = int(np.searchsorted(self.pieces, start, side="right")) - 1
        for number in range(first, len(self.chunks)):
            begin, end = int(self.pieces[number]), int(self.pieces[number + 1])
            if begin >= stop:
                break
            if begin == end:
                continue
            low, high = max(start, begin), min(stop, end)
            rows[low - start : high - start] = self._part(number, low, high)
        return rows

    def _whole(self, number: int, begin: int, end: int) -> np.ndarray:
        chunk = self._checked(number, self._chunk(number))
        if len(chunk) != end - begin:
            raise ValueError(
                f"Chunk {number} has {len(chunk)} rows, and had {end - begin} when it was first "
                "asked for; chunks have to be the same each time."
            )
        return chunk

    def __str__(self) -> str:
        return f"{len(self.chunks)} chunks"


def _names_of(chunk) -> list[Any] | None:
    """Return the names of the columns of a frame, or None of an array."""
    return list(chunk.columns) if hasattr(chunk, "columns") else None


class ParquetRows:
    """The columns of numbers of Parquet files, of which whole row groups can be read.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        Of files of Parquet.
    columns : list of str, optional
        Those to take.
    """

    in_memory = False

    def __init__(self, dataset: Any, columns: list[str] | None = None) -> None:
        self.dataset = dataset
        if not hasattr(dataset, "files"):
            raise ValueError(
                f"{type(dataset).__name__} is no data set of files; give one of "
                "pyarrow.dataset.dataset(path)."
            )
        if str(dataset.format.default_extname) != "parquet":
            raise ValueError(
                f"The data set has files of {dataset.format.default_extname}, which are read from "
                "their begin only. Write them as Parquet."
            )
        self.columns = self._chosen(columns)
        self.header = dataset.schema.empty_table().select(self.columns)
        types = {str(kind) for kind in self.header.schema.types}
        self.groups: list[tuple[str, int]] = []  # of each piece: its file, and which of its groups
        self.metadata, self.stamps, bounds = {}, {}, [0]
        self.written: dict[str, list[str]] = {}  # of each file: columns that are in it, and
        self.constants: dict[str, dict[str, float]] = {}  # those that the name of its folder has
        for fragment in self._fragments():
            path = fragment.path
            self.stamps[path] = self._stamp(path)
            types |= self._look_at(fragment)
            self.metadata[path] = fragment.metadata
            for group in fragment.row_groups:
                n_rows = self.metadata[path].row_group(group.id).num_rows
                if n_rows:
                    self.groups.append((path, group.id))
                    bounds.append(bounds[-1] + n_rows)
        self.dtype = np.dtype(np.float32 if types <= {"float", "null"} else np.float64)
        self.pieces = np.array(bounds)
        self.shape = (bounds[-1], len(self.columns))
        self._batches: Iterator[Any] = iter(())  # of the piece that is being read
        self._place, self._rest = -1, np.empty((0, len(self.columns)))
        self._ends = set(bounds)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_batches": iter(()), "_place": -1, "_rest": self._rest[:0].copy()}

    def _chosen(self, columns: list[str] | None) -> list[str]:
        """Return the names of columns, all of which hold numbers."""
        schema = self.dataset.schema
        names = list(schema.names)
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        for name in columns or ():
            if name not in names:
                raise ValueError(f"{self} has no column {name!r}; it has {names}.")
        chosen = [name for name in names if name not in index] if columns is None else columns
        twice = sorted({name for name in chosen if names.count(name) > 1})
        if twice:
            raise ValueError(f"{self} has several columns of the names {twice}; rename them.")
        types = {name: str(schema.field(name).type) for name in chosen}
        others = {name: kind for name, kind in types.items() if not _is_number(kind)}
        if others:
            told = ", ".join(f"{name!r} ({kind})" for name, kind in others.items())
            rest = [name for name in chosen if name not in others]
            raise ValueError(
                f"{self} has columns that are no numbers: {told}. Leave them out, columns={rest}, "
                "or turn them into numbers (skae.TableEncoder)."
            )
        return list(chosen)

    def _fragments(self) -> list[Any]:
        """Return the files of the data set, or what it has of them."""
        try:
            return list(self.dataset.get_fragments())
        except ValueError as error:
            raise ValueError(
                f"{self} has a filter, or columns that are computed, but is read by whole row "
                "groups. Give the data set without it, or write what it has to a file: "
                "pyarrow.dataset.write_dataset(...)."
            ) from error

    def _look_at(self, fragment) -> set[str]:
        """Find the columns of a file, all of which are to be there as numbers; return their types.

        Those that are parts of the names of folders (year=2020) have one value in all of a file.
        """
        partition_keys = _imported("pyarrow.dataset", "Parquet").get_partition_keys
        schema, constants = fragment.physical_schema, partition_keys(fragment.partition_expression)
        constants = {name: constants[name] for name in self.columns if name in constants}
        written = [name for name in self.columns if name not in constants]
        types = {}
        for name in written:
            if (n_times := schema.names.count(name)) != 1:
                raise ValueError(
                    f"{fragment.path!r} has {n_times} columns {name!r}, but the data set has one; "
                    f"the file has {schema.names}. Leave the column out (columns=...), or the file."
                )
            types[name] = str(schema.field(name).type)
            if not (_is_number(types[name]) or types[name] == "null"):
                raise ValueError(
                    f"Column {name!r} of {fragment.path!r} is no number ({types[name]}), but it is "
                    f"one in the data set ({self.dataset.schema.field(name).type}). Leave it out "
                    "(columns=...), or write the file anew."
                )
        self.written[fragment.path] = written
        self.constants[fragment.path] = {
            name: np.nan if value is None else float(value) for name, value in constants.items()
        }
        return {*types.values()}

    def _stamp(self, path: str) -> tuple[Any, Any]:
        (info,) = self.dataset.filesystem.get_file_info([path])
        return info.size, info.mtime_ns

    def _open(self, path: str) -> Any:
        parquet = _imported("pyarrow.parquet", "Parquet")
        source = self.dataset.filesystem.open_input_file(path)
        return parquet.ParquetFile(source, metadata=self.metadata.get(path), pre_buffer=False)

    def read(self, start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, self.shape[1]), dtype=self.dtype)
        place = start
        while place < stop:
            number = int(np.searchsorted(self.pieces, place, side="right")) - 1
            begin, end = int(self.pieces[number]), int(self.pieces[number + 1])
            if place == begin and end <= stop:
                self._read_group(number, rows[begin - start : end - start])
                place = end
            else:
                some = self._next(place, number)
                n_rows = min(len(some), stop - place, end - place)
                rows[place - start : place - start + n_rows] = some[:n_rows]
                place += n_rows
                self._place, self._rest = place, some[n_rows:]
        if place in self._ends:  # whose reader is done
            self._place, self._rest, self._batches = -1, self._rest[:0].copy(), iter(())
        return rows

    def _read_group(self, number: int, rows: np.ndarray) -> None:
        """Read a piece a column at a time, as all of them decoded are several times as large."""
        path, group = self._checked(number)
        with self._open(path) as file:
            for j, name in enumerate(self.columns):
                if name in self.constants[path]:
                    rows[:, j] = self.constants[path][name]
                    continue
                table = file.read_row_group(group, columns=[name], use_threads=False)
                rows[:, j] = self._numbers(table.column(name))

    def _next(self, place: int, number: int) -> np.ndarray:
        """Return some rows from a place on within a piece, best that where the last ones ended."""
        path, group = self._checked(number)
        if place != self._place:
            size = max(1, _BATCH_VALUES // self.shape[1])
            self._batches = self._open(path).iter_batches(
                size, row_groups=[group], columns=self.written[path], use_threads=False
            )
            self._place, self._rest = int(self.pieces[number]), self._rest[:0]
        while True:
            if len(self._rest) == 0:
                self._rest = self._array(next(self._batches), self.constants[path])
            n_passed = min(place - self._place, len(self._rest))
            self._place, self._rest = self._place + n_passed, self._rest[n_passed:]
            if len(self._rest):
                return self._rest

    def _checked(self, number: int) -> tuple[str, int]:
        """Return the file of a piece that has not changed, and which of its groups the piece is."""
        path, group = self.groups[number]
        if self._stamp(path) != self.stamps[path]:
            raise ValueError(
                f"{path!r} has changed since it was opened. What was learnt so far is of other "
                "rows: open it anew, and fit again."
            )
        return path, group

    def _array(self, batch, constants: dict[str, float]) -> np.ndarray:
        rows = np.empty((batch.num_rows, self.shape[1]), dtype=self.dtype)
        for j, name in enumerate(self.columns):
            of_all = constants.get(name)
            rows[:, j] = self._numbers(batch.column(name)) if of_all is None else of_all
        return rows

    def _numbers(self, column) -> np.ndarray:
        """Return a column as numbers, with NaN for what is null."""
        if str(column.type) == "bool" or column.null_count:
            kind = "float32" if self.dtype == np.float32 else "float64"
            column = column.cast(kind, safe=False)  # large integers are rounded, as elsewhere
        return column.to_numpy(zero_copy_only=False)

    def __str__(self) -> str:
        files = self.dataset.files
        return f"Parquet {files[0]!r}" if len(files) == 1 else f"{len(files)} files of Parquet"


def _is_number(kind: str) -> bool:
    """Whether values of a type of Arrow, by its name, are numbers."""
    return kind in ("bool", "float", "double", "halffloat") or kind.lstrip("u").startswith("int")


class _Taken:
    """Some columns of what another engine reads."""

    header = None
    in_memory = False

    def __init__(self, engine: Any, columns: Sequence[int]) -> None:
        self.engine, self.columns = engine, np.asarray(columns)
        n_features = engine.shape[1]
        if self.columns.dtype.kind not in "iu" or not (
            ((-n_features <= self.columns) & (self.columns < n_features)).all()
        ):
            raise ValueError(
                f"columns={list(columns)!r}, but {engine} has {n_features} columns without names; "
                "give their numbers from 0."
            )
        self.shape, self.dtype = (engine.shape[0], len(self.columns)), engine.dtype
        self.pieces = engine.pieces

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.engine.read(start, stop)[:, self.columns]

    def __str__(self) -> str:
        return f"columns of {self.engine}"


class Stacked:
    """The rows of a source with others below them.

    Parameters
    ----------
    source : RowSource
    others : ndarray of shape (n_others, n_features)
    """

    header = None
    in_memory = False

    def __init__(self, source: RowSource, others: np.ndarray) -> None:
        self.source, self.others = source, others
        n_before, n_others = len(source), len(others)
        self.shape, self.dtype = (n_before + n_others, source.shape[1]), source.dtype
        ends = [source.bounds(number)[1] for number in range(source.n_blocks)]
        steps = range(n_before, n_before + n_others, max(1, ends[0]))  # as many rows in a piece
        self.pieces: np.ndarray | None = np.array([0, *ends[:-1], *steps, n_before + n_others])

    def read(self, start: int, stop: int) -> np.ndarray:
        n_before = len(self.source)
        of_source = self.source[start : min(stop, n_before)]
        others = self.others[max(0, start - n_before) : max(0, stop - n_before)]
        return np.concatenate([of_source, others.astype(self.dtype, copy=False)])

    def __str__(self) -> str:
        return f"{self.source!r} and {len(self.others)} rows held out"


def below(source: RowSource, others: np.ndarray) -> RowSource:
    """Return the rows of a source with others, which are in memory, below them."""
    return RowSource(Stacked(source, others), source.memory)


_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "dask": DaskRows,
    "h5py": SlicedArray,
    "zarr": SlicedArray,
}
