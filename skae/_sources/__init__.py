"""Rows that are read a block at a time: where they come from, and how much of them is in memory.

`RowSource` is what the rest of skae sees: a shape, a dtype, rows by their indices. What it reads
from is an engine, a small class for each kind of file and array that is not in memory.
"""

from ._engines import DEFAULT_MEMORY, below, open_rows, source_of
from ._source import RowChoice, RowSource, all_rows, bytes_of, told_bytes

__all__ = [
    "DEFAULT_MEMORY",
    "RowChoice",
    "RowSource",
    "all_rows",
    "below",
    "bytes_of",
    "open_rows",
    "source_of",
    "told_bytes",
]
