"""Rows of a source, and some of them: shapes, dtypes and blocks, whatever they are read from."""

import copy
import re
from collections.abc import Callable, Iterator
from numbers import Integral
from threading import Lock
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

_BLOCK_BYTES = 2**22  # of a block, where memory is no reason for less
_BLOCKS = 64  # of such a size, at least, in the memory that rows may take
_LARGEST_BLOCK = 8  # one part in this many of the memory
_BUFFER = 2  # likewise, what is shuffled at one time, in single precision
_HELD_OUT = 8  # likewise, rows held out, in single precision
_SEGMENT = 2**16  # rows whose number chosen is known
_CHUNK_VALUES = 2**18  # that are looked at one time
_PER_ROW = 48  # bytes, of indices, weights and hashes of a fit in memory

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Engine(Protocol):
    """What a source reads from."""

    shape: tuple[int, int]
    dtype: np.dtype  # of what `read` returns
    pieces: np.ndarray | None  # (n_pieces + 1,) of int: bounds of what can be read by itself only
    in_memory: bool  # whether all rows are there as they are, in memory or mapped to it
    header: Any  # a table without rows that has the columns' names, or None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return some rows, (stop - start, n_features), that nobody else has."""

    def __str__(self) -> str: ...


def bytes_of(memory: int | str) -> int:
    """Return a number of bytes, given as such or as text like "500MB" or "2 GiB"."""
    if isinstance(memory, Integral) and not isinstance(memory, bool) and memory > 0:
        return int(memory)
    found = isinstance(memory, str) and re.fullmatch(
        r"\s*([0-9.]+)\s*([kmgt]?)(i?)b?\s*", memory, flags=re.IGNORECASE
    )
    try:
        number = float(found[1]) if found else 0.0
    except ValueError:
        number = 0.0
    if not found or number <= 0:
        raise ValueError(
            f"memory={memory!r} is no number of bytes; give one, or text such as '500MB' or '2GiB'."
        )
    unit = _UNITS[found[2].lower()]
    if found[3]:
        unit = 2 ** (10 * round(np.log10(unit) / 3))
    return int(number * unit)


def told_bytes(n_bytes: float) -> str:
    """Return a number of bytes as text."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes:.0f} bytes"


class Survey(NamedTuple):
    """What a look at all rows finds."""

    low: float  # the least and the greatest value that is not missing
    high: float
    first_nan: tuple[int, int] | None  # row and column
    first_infinite: tuple[int, int] | None
    n_known: np.ndarray  # (n_features,) of int

    @property
    def has_nan(self) -> bool:
        return self.first_nan is not None


class RowSource:
    """Rows that are read some at a time, from a file or an array that memory may not hold.

    What users know of it is told by `open_rows`. The rest of skae asks for blocks of rows, for
    `chunks` at ascending indices, and for a `survey` of all of them.

    Parameters
    ----------
    engine : Engine
        What reads them.
    memory : int
        Bytes that rows may take at one time.
    """

    ndim = 2

    def __init__(self, engine: Engine, memory: int) -> None:
        self.memory = memory
        self.shape = engine.shape
        self.dtype = np.dtype(np.float32 if engine.dtype == np.float32 else np.float64)
        self._engine = engine
        self._function: Callable[[np.ndarray], np.ndarray] | None = None
        self._bounds, self._are_whole = _bounds(engine, self._row_bytes, memory)
        self._last: tuple[int, np.ndarray | None] = (-1, None)
        self._lock = Lock()  # an engine may not be asked by several threads at one time
        self._survey: Survey | None = None
        self.moments: Any = None  # what has been summed of some of the rows, and which

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": (-1, None), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    @property
    def header(self) -> Any:
        """A table without rows that has the columns' names, where they have any."""
        if self._engine.header is None:
            return np.empty((0, self.shape[1]))
        return self._engine.header

    @property
    def _row_bytes(self) -> int:
        return max(1, self.shape[1]) * self.dtype.itemsize

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the columns, where they have any."""
        header = self._engine.header
        return None if header is None else list(header.column_names)

    @property
    def fits(self) -> bool:
        """Whether a fit with all rows in memory takes no more than rows may."""
        n_samples, n_features = self.shape
        copied = 4 * 1.1 * n_features  # in single precision, rows held out twice
        if not (self._engine.in_memory and self._engine.dtype == self.dtype):
            copied += self._row_bytes
        return n_samples * (copied + _PER_ROW) <= self.memory

    @property
    def n_buffered(self) -> int:
        """How many rows are shuffled at one time, in single precision."""
        return max(2, self.memory // _BUFFER // (4 * self.shape[1] + 8))

    @property
    def n_held_out(self) -> int:
        """How many rows may be held out, which stay in memory."""
        return max(2, self.memory // _HELD_OUT // (4 * self.shape[1] + 24))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        n_samples, n_features = self.shape
        size = told_bytes(n_samples * self._row_bytes)
        what = "read whole" if self.fits else "read a block at a time"
        return (
            f"<RowSource of {n_samples:,} rows and {n_features} columns, {self.dtype}, {size}: "
            f"{self._engine}, {what} within {told_bytes(self.memory)}>"
        )

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        self.refuse_whole("be read as one array")
        array = self._whole()
        return array if dtype is None else array.astype(dtype, copy=False)

    def refuse_whole(self, what: str) -> None:
        """Raise an error if all rows are more than may be in memory."""
        if not self.fits:
            size = told_bytes(self.shape[0] * self._row_bytes)
            raise ValueError(
                f"{self!r} is too large to {what}: its rows take {size}. "
                "skae.AutoencoderTransformer fits and transforms it as it is. Else take some of "
                "the rows, source[start:stop], a block at a time, source.blocks(), or allow more: "
                "skae.datasets.open_rows(..., memory='64GB')."
            )

    def _whole(self) -> np.ndarray:
        engine = self._engine
        if engine.in_memory and self._function is None:
            return np.asarray(engine.array)  # type: ignore[attr-defined]
        return self[:]

    def blocks(self) -> Iterator[np.ndarray]:
        """Read all rows in their order, some at a time.

        Yields
        ------
        ndarray of shape (n_rows, n_features)
            A few megabytes of rows, or what can only be read together.
        """
        for number in range(self.n_blocks):
            yield self.block(number).copy()

    @property
    def n_blocks(self) -> int:
        return len(self._bounds) - 1

    def bounds(self, number: int) -> tuple[int, int]:
        """Return which rows a block has: from the first to before the second."""
        return int(self._bounds[number]), int(self._bounds[number + 1])

    def block(self, number: int) -> np.ndarray:
        """Return the rows of a block, which stay in memory until another one is read."""
        with self._lock:
            last_number, rows = self._last
            if last_number != number or rows is None:
                self._last, rows = (-1, None), None  # before there are two
                rows = self._read(*self.bounds(number))
                self._last = (number, rows)
            return rows

    def _read(self, start: int, stop: int) -> np.ndarray:
        rows = self._engine.read(start, stop)
        if rows.shape != (stop - start, self._engine.shape[1]):
            raise ValueError(
                f"{self._engine} gave an array of shape {rows.shape} for the rows {start} to "
                f"{stop - 1} of {self._engine.shape[1]} columns: it is not what it was when it "
                "was opened. Open it anew."
            )
        rows = rows.astype(self.dtype, copy=False)
        return rows if self._function is None else self._function(rows)

    def __getitem__(self, index) -> np.ndarray:
        """Return some rows, by a slice, by indices in any order or by a mask."""
        if isinstance(index, tuple):
            if len(index) != 2 or index[1] is not Ellipsis:
                raise IndexError(
                    f"rows of a source are taken by one index, source[indices], not {index!r}; "
                    "take columns of what it returns"
                )
            index = index[0]
        if isinstance(index, Integral):
            return self[np.array([index])][0]
        n_samples = self.shape[0]
        if isinstance(index, slice):
            index = np.arange(*index.indices(n_samples))
        index = np.asarray(index)
        if index.dtype == bool and index.shape == (n_samples,):
            index = np.flatnonzero(index)
        elif index.ndim != 1 or (index.dtype.kind not in "iu" and len(index)):
            raise IndexError(
                f"an index of dtype {index.dtype} and shape {index.shape} is none of {n_samples} "
                f"rows; give whole numbers, a slice, or a mask of shape ({n_samples},)"
            )
        index = index.astype(np.int64)
        index = np.where(index < 0, index + n_samples, index)
        if len(index) and not (index.min() >= 0 and index.max() < n_samples):
            raise IndexError(f"rows {index.min()} to {index.max()} are not all of {n_samples} rows")
        ascending = bool((np.diff(index) >= 0).all())
        order = None if ascending else np.argsort(index, kind="stable")
        result = np.empty((len(index), self.shape[1]), dtype=self.dtype)
        for chunk, rows in self.chunks(index if order is None else index[order]):
            result[chunk if order is None else order[chunk]] = rows
        return result

    def chunks(
        self, indices: "RowChoice | np.ndarray", n_values: int = _CHUNK_VALUES
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield rows at ascending indices a few at a time, and which places of the indices' it is.

        The arrays are not to be changed.
        """
        size, place = max(1, n_values // max(1, self.shape[1])), 0
        is_choice = isinstance(indices, RowChoice)
        for number, within in self._blocks_of(indices):
            start, stop = self.bounds(number)
            rows = self.block(number)
            for first in range(0, len(within), size):
                some = within[first : first + size]
                if is_choice and len(within) == stop - start:  # all of them: no copy
                    part = rows[first : first + size]
                else:
                    part = rows[some - start]
                yield slice(place, place + len(some)), part
                place += len(some)

    def _blocks_of(self, indices) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the numbers of blocks and which rows are chosen of each, where any are."""
        if isinstance(indices, RowChoice):
            for number in range(self.n_blocks):
                within = indices.between(*self.bounds(number))
                if len(within):
                    yield number, within
            return
        numbers = np.searchsorted(self._bounds, indices, side="right") - 1
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        for number, within in zip(
            numbers[starts].tolist(), np.split(indices, starts[1:]), strict=False
        ):
            yield number, within

    def mapped(self, function: Callable[[np.ndarray], np.ndarray], n_features=None) -> Self:
        """Return these rows after a function of a block of rows, in the same dtype."""
        other, before = copy.copy(self), self._function
        other._function = function if before is None else lambda rows: function(before(rows))
        other.shape = (self.shape[0], self.shape[1] if n_features is None else n_features)
        other._survey, other.moments, other._lock = None, None, self._lock
        return other

    def survey(self) -> Survey:
        """Look at all rows, the first time that this is asked."""
        if self._survey is None:
            self._survey = self._look()
        return self._survey

    def _look(self) -> Survey:
        low, high, first_nan, first_infinite = np.inf, -np.inf, None, None
        n_known = np.zeros(self.shape[1], dtype=np.int64)
        for chunk, rows in self.chunks(all_rows(self)):
            least, greatest = rows.min(initial=np.inf), rows.max(initial=-np.inf)
            if np.isnan(least):
                missing = np.isnan(rows)
                if first_nan is None:
                    first_nan = _first(missing, chunk.start)
                n_known += len(rows) - missing.sum(axis=0)
                least = np.fmin.reduce(rows, axis=None, initial=np.inf)
                greatest = np.fmax.reduce(rows, axis=None, initial=-np.inf)
            else:
                n_known += len(rows)
            if first_infinite is None and (np.isinf(least) or np.isinf(greatest)):
                infinite = np.isinf(rows)
                first_infinite = _first(infinite, chunk.start) if infinite.any() else None
            low, high = min(low, float(least)), max(high, float(greatest))
        if low > high:  # no value is known
            low = high = 0.0
        return Survey(low, high, first_nan, first_infinite, n_known)

    def column(self, number: int) -> str:
        """Return what a column is called in a message."""
        names = self.feature_names
        return f"column {number}" if names is None else f"column {names[number]!r}"

    def check(self, *, allow_nan: bool) -> None:
        """Raise an error for values that are infinite, or missing if that is not allowed."""
        survey = self.survey()
        for what, found, allowed in (
            ("infinity", survey.first_infinite, False),
            ("NaN", survey.first_nan, allow_nan),
        ):
            if found is not None and not allowed:
                row, column = found
                raise ValueError(
                    f"Input X contains {what}: the first is in row {row}, {self.column(column)}."
                )

    def refuse_large_pieces(self) -> None:
        """Raise an error if what has to be read at once is too much to be mixed with other rows."""
        if not self._are_whole:
            pieces = self._engine.pieces
            assert pieces is not None
            n_rows = int(np.diff(pieces).max())
            wanted = max(1, self.memory // _LARGEST_BLOCK // self._row_bytes)
            raise ValueError(
                f"{self!r} can only be read in pieces of up to {n_rows:,} rows, "
                f"{told_bytes(n_rows * self._row_bytes)}, of which too few are in memory at one "
                f"time to be mixed. Allow at least "
                f"{told_bytes(1.01 * _LARGEST_BLOCK * n_rows * self._row_bytes)}, write smaller "
                f"pieces (of Parquet: row_group_size={wanted}), or once the rows as they are, "
                "which can be read in any order: source.save('rows.npy')."
            )

    def save(self, path) -> None:
        """Write all rows to an .npy file, some at a time, from which any can be read by itself.

        Parameters
        ----------
        path : str or path-like
            Of the new file, which `open_rows` opens.
        """
        with open(path, "xb") as file:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for number in range(self.n_blocks):
                file.write(np.ascontiguousarray(self.block(number)).data)


def _first(where: np.ndarray, start: int) -> tuple[int, int]:
    row, column = divmod(int(where.argmax()), where.shape[1])
    return start + row, column


def _bounds(engine: Engine, row_bytes: int, memory: int) -> tuple[np.ndarray, bool]:
    """Return where blocks begin and end, and whether none of them is a part of a piece."""
    n_samples = engine.shape[0]
    most = max(1, memory // _LARGEST_BLOCK // row_bytes)
    wanted = max(1, min(memory // _BLOCKS, _BLOCK_BYTES) // row_bytes)
    if engine.pieces is None:
        return np.append(np.arange(0, n_samples, wanted), n_samples), True
    bounds, are_whole = [0], True
    for start, stop in zip(engine.pieces[:-1].tolist(), engine.pieces[1:].tolist(), strict=True):
        if stop - bounds[-1] > most and bounds[-1] < start:
            bounds.append(start)  # small pieces before make a block
        if stop - start > most:
            are_whole = False
            bounds += range(start + wanted, stop, wanted)
        if stop - bounds[-1] >= wanted or stop - start > most:
            bounds.append(stop)
    if bounds[-1] < n_samples:
        bounds.append(n_samples)
    return np.array(bounds), are_whole


class RowChoice:
    """Some of the rows of a source, in their order: all of them, or a byte for each that there is.

    Parameters
    ----------
    n_samples : int
    mask : ndarray of bool of shape (n_samples,), optional
        Which of them. None is all.
    """

    def __init__(self, n_samples: int, mask: np.ndarray | None = None) -> None:
        self.n_samples, self.mask = n_samples, mask
        self._n_before = np.zeros(1, dtype=np.int64)  # of each segment
        if mask is not None:
            starts = range(0, n_samples, _SEGMENT)
            counts = [np.count_nonzero(mask[start : start + _SEGMENT]) for start in starts]
            self._n_before = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return self.n_samples if self.mask is None else int(self._n_before[-1])

    def between(self, start: int, stop: int) -> np.ndarray:
        """Return the indices from the first to before the second that are chosen."""
        if self.mask is None:
            return np.arange(start, stop)
        return np.flatnonzero(self.mask[start:stop]) + start

    def place_of(self, start: int) -> int:
        """Return how many rows before an index are chosen."""
        if self.mask is None:
            return start
        segment = start // _SEGMENT
        return int(self._n_before[segment] + self.mask[segment * _SEGMENT : start].sum())

    def __getitem__(self, places) -> np.ndarray:
        """Return the indices at some places among those chosen."""
        if isinstance(places, Integral):
            return self[np.array([places])][0]
        if isinstance(places, slice):
            places = np.arange(*places.indices(len(self)))
        places = np.asarray(places)
        if len(places) and not (places.min() >= 0 and places.max() < len(self)):
            raise IndexError(
                f"places {places.min()} to {places.max()} are not all of {len(self)} rows"
            )
        if self.mask is None:
            return places.astype(np.int64)
        segment = np.searchsorted(self._n_before, places, side="right") - 1
        result = np.empty(len(places), dtype=np.int64)
        for number in np.unique(segment).tolist():
            start, mine = number * _SEGMENT, segment == number
            chosen = self.between(start, min(start + _SEGMENT, self.n_samples))
            result[mine] = chosen[places[mine] - self._n_before[number]]
        return result

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield what the choice is recognized by."""
        yield np.array([self.n_samples])
        if self.mask is not None:
            yield self.mask


def all_rows(X) -> Any:
    """Return the indices of all rows of a source, or of an array."""
    return RowChoice(X.shape[0]) if isinstance(X, RowSource) else np.arange(X.shape[0])
