"""What a column of a table holds, whatever the type it came in.

Here end numbers, words and dates of all types: `_frames` knows the containers.
"""

from datetime import UTC
from typing import Any, NamedTuple

import numpy as np

MICROSECOND = 1e-6


class Values(NamedTuple):
    """What a column of a table holds, whatever the type it came in."""

    name: str
    kind: str  # "number", "category" or "date"
    numbers: np.ndarray  # (n_rows,), NaN where missing: numbers, seconds, or places of levels
    levels: list | None = None  # of a category, each different, in order

    def counted(self, weight: np.ndarray) -> tuple[list, np.ndarray]:
        """Return the levels that rows of some weight have, in order, and how frequent each is."""
        levels = self.levels or []
        known = ~np.isnan(self.numbers) & (weight > 0)
        place = self.numbers[known].astype(int)
        counts = np.bincount(place, weights=weight[known], minlength=len(levels))
        # In the same order, whatever that of a categorical type is.
        seen = sorted(np.flatnonzero(counts > 0), key=lambda i: in_order(levels[i]))
        return [levels[i] for i in seen], counts[seen] / counts.sum() if seen else np.empty(0)

    def places(self, levels: list) -> np.ndarray:
        """Return where among other levels those of the rows are, -1 for one that is not."""
        places = {level: i for i, level in enumerate(levels)}
        assert self.levels is not None
        place = np.array([places.get(level, -1) for level in self.levels] + [-1])
        return place[np.where(np.isnan(self.numbers), -1, self.numbers).astype(int)]


def in_order(level: Any) -> tuple:
    """Return what levels of any types are sorted by."""
    return type(level).__name__, level


def seconds_of(dates: Any) -> np.ndarray:
    """Return dates as seconds since 1970, NaN for NaT: an array of numpy's, or what becomes one."""
    dates = np.asarray(dates)
    if dates.dtype == object:  # with a time zone, perhaps
        plain = [_in_utc(date) for date in dates.ravel().tolist()]
        dates = np.array(plain, dtype="datetime64[us]").reshape(dates.shape)
    dates = dates.astype("datetime64[us]")
    return np.where(np.isnat(dates), np.nan, dates.astype(float) * MICROSECOND)


def _in_utc(date: Any) -> Any:
    zoned = getattr(date, "tzinfo", None) is not None
    return date.astimezone(UTC).replace(tzinfo=None) if zoned else date
