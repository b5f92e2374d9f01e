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
        numbers. None takes all of them.

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
        return MappedArray(np.load(path, mmap_mode="r", allow_pickle=False), path)
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
    names = [name for name in group if getattr(group[name], "ndim", 0) == 2]
    if key is None and len(names) == 1:
        (key,) = names
    if key is None or key not in group:
        raise ValueError(
            f"{str(path)!r} has the arrays of rows {names}; give the name of one as key, not "
            f"key={key!r}."
        )
    return group[key]


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
    path : path-like, optional
        Of the file, if it was opened for this.
    """

    def __init__(self, array: np.ndarray, path=None) -> None:
        self.path = path or getattr(array, "filename", None)
        self.stamp = None if path is None else _Stamp(path)
        super().__init__(array)
        # Pages that nobody can have written to may be dropped, and are read again when needed.
        self.may_drop = hasattr(mmap, "MADV_DONTNEED") and getattr(array, "mode", "") == "r"

    def read(self, start: int, stop: int) -> np.ndarray:
        if self.stamp is not None:
            self.stamp.check()
        rows = super().read(start, stop)
        if self.may_drop:
            self.array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
        return rows

    def __str__(self) -> str:
        return "a memory map" if self.path is None else f"the memory map {str(self.path)!r}"


class SlicedArray:
    """An array of HDF5 or Zarr, which is read by slices and best in whole chunks.

    Parameters
    ----------
    array : h5py.Dataset or zarr.Array
    """

    header = None
    in_memory = False

    def __init__(self, array: Any) -> None:
        self.array = array
        self.shape, self.dtype = _refuse_shape(array, str(self)), np.dtype(array.dtype)
        n_rows = None if array.chunks is None else int(array.chunks[0])
        self.pieces = None
        if n_rows is not None and n_rows > 1:
            self.pieces = np.append(np.arange(0, self.shape[0], n_rows), self.shape[0])

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.array(self.array[start:stop])

    def __str__(self) -> str:
        kind = {"h5py": "HDF5", "zarr": "Zarr"}.get(_library(self.array), "an array of")
        return f"the {kind} array {self.array.name!r}"


class DaskRows:
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
            raise ValueError(
                f"X is {type(array).__name__} of dask; give X.to_dask_array(lengths=True)."
            )
        self.shape, self.dtype = _refuse_shape(array, str(self)), np.dtype(array.dtype)
        self.pieces = np.concatenate([[0], np.cumsum(array.chunks[0])]).astype(np.int64)

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.array(self.array[start:stop])

    def __str__(self) -> str:
        return f"the Dask array {self.array.name!r}"


class Chunks:
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
            chunk = self._checked(number, self._chunk(number))
            if len(chunk) != end - begin:
                raise ValueError(
                    f"Chunk {number} has {len(chunk)} rows, and had {end - begin} when it was "
                    "first asked for; chunks have to be the same each time."
                )
            low, high = max(start, begin), min(stop, end)
            rows[low - start : high - start] = chunk[low - begin : high - begin]
        return rows

    def __str__(self) -> str:
        return f"{len(self.chunks)} chunks"


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
        types = self.header.schema.types
        self.dtype = np.dtype(np.float32 if {str(t) for t in types} == {"float"} else np.float64)
        self.groups: list[tuple[str, int]] = []  # of each piece: its file, and which of its groups
        self.metadata, self.stamps, bounds = {}, {}, [0]
        for path in dataset.files:
            self.stamps[path] = self._stamp(path)
            with self._open(path) as file:
                self.metadata[path] = file.metadata
            for number in range(self.metadata[path].num_row_groups):
                n_rows = self.metadata[path].row_group(number).num_rows
                if n_rows:
                    self.groups.append((path, number))
                    bounds.append(bounds[-1] + n_rows)
        self.pieces = np.array(bounds)
        self.shape = (bounds[-1], len(self.columns))
        self._batches: Iterator[Any] = iter(())  # of the piece that is being read
        self._place, self._rest = -1, np.empty((0, len(self.columns)))
        self._ends = set(bounds)

    def _chosen(self, columns: list[str] | None) -> list[str]:
        """Return the names of columns, all of which hold numbers."""
        schema = self.dataset.schema
        names = list(schema.names)
        for name in columns or ():
            if name not in names:
                raise ValueError(f"{self} has no column {name!r}; it has {names}.")
        chosen = names if columns is None else columns
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
                table = file.read_row_group(group, columns=[name], use_threads=False)
                rows[:, j] = self._numbers(table.column(name))

    def _next(self, place: int, number: int) -> np.ndarray:
        """Return some rows from a place on within a piece, best that where the last ones ended."""
        if place != self._place:
            path, group = self._checked(number)
            size = max(1, _BATCH_VALUES // self.shape[1])
            self._batches = self._open(path).iter_batches(
                size, row_groups=[group], columns=self.columns, use_threads=False
            )
            self._place, self._rest = int(self.pieces[number]), self._rest[:0]
        while True:
            if len(self._rest) == 0:
                self._rest = self._array(next(self._batches))
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

    def _array(self, batch) -> np.ndarray:
        rows = np.empty((batch.num_rows, self.shape[1]), dtype=self.dtype)
        for j, name in enumerate(self.columns):
            rows[:, j] = self._numbers(batch.column(batch.schema.get_field_index(name)))
        return rows

    def _numbers(self, column) -> np.ndarray:
        """Return a column as numbers, with NaN for what is null."""
        if str(column.type) == "bool" or column.null_count:
            column = column.cast("float32" if self.dtype == np.float32 else "float64")
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
