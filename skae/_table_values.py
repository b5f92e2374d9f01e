"""What a column of a table holds, whatever the type it came in.

Here end numbers, words and dates of all types: `_frames` knows the containers.
"""

from typing import Any, NamedTuple

import numpy as np


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
