"""Some rows of a file that has more than memory may hold: the same each time, from all over it."""

from typing import Any, NamedTuple

import numpy as np

from skae._sources import bytes_of, told_bytes

_BATCH_VALUES = 2**20  # that are read at one time


class Sample(NamedTuple):
    """Which rows of a file are read."""

    places: np.ndarray  # (n_rows,) of int, ascending
    n_rows: int  # that there are
    memory: int  # bytes

    @property
    def told(self) -> str:
        """What an account of the file says of it."""
        return (
            f"a random sample of its {self.n_rows:,} rows, since all are more than "
            f"{told_bytes(self.memory)} (--memory takes more)"
        )


def sample_of(n_rows: int, row_bytes: float, memory: int | str) -> Sample | None:
    """Return which rows to read of a file, or None if memory has room for all."""
    n_bytes = bytes_of(memory)
    if n_rows * row_bytes <= n_bytes:
        return None
    most = max(1, int(n_bytes / row_bytes))
    places = np.random.default_rng(0).choice(n_rows, most, replace=False, shuffle=False)
    return Sample(np.sort(places), n_rows, n_bytes)


def sample_of_parquet(path, memory: int | str) -> tuple[Sample, Any] | None:
    """Return a sample of a Parquet file and the table of its rows, or None if all are to be read.

    Without pyarrow all are.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        return None
    with ParquetFile(path, pre_buffer=False) as file:
        metadata = file.metadata
        n_groups, n_columns = metadata.num_row_groups, metadata.num_columns
        size = max(1, _BATCH_VALUES // max(1, n_columns))
        written = sum(metadata.row_group(i).total_byte_size for i in range(n_groups))
        row_bytes = max(8 * n_columns, written / max(1, metadata.num_rows))
        for batch in file.iter_batches(size, use_threads=False):
            row_bytes = max(row_bytes, batch.nbytes / max(1, batch.num_rows))
            break  # words that are written as numbers of a dictionary take more in memory
        sample = sample_of(metadata.num_rows, row_bytes, memory)
        if sample is None:
            return None
        parts, start = [], 0
        for batch in file.iter_batches(size, use_threads=False):
            first, last = np.searchsorted(sample.places, [start, start + batch.num_rows])
            parts.append(batch.take(pa.array(sample.places[first:last] - start)))
            start += batch.num_rows
        return sample, pa.Table.from_batches(parts)
