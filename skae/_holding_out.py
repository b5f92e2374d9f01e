"""The rows of a fit: which differ, and which are held out to judge the epochs by."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_consistent_length, column_or_1d

from ._rows import (
    dense_chunks,
    fill_holes,
    mean_and_scale,
    merge_equal_rows,
    places_among,
    row_hashes,
)
from ._sources import RowChoice, RowSource, all_rows, below
from ._warnings import warn
from .exceptions import DependentRowsWarning

_FEW_ROWS = 2000  # rows below which each of them validates once, in a cross-validation
_N_FOLDS = 5
_ENOUGH_ROWS = 250  # held out, to judge a training by
_SHARE = 0.1  # held out of many rows
_MOST_UNITS = 2**16  # kinds of equal rows that are counted, of a source

# Near-copies: in half of the rows, the nearest few others lie three times nearer than the next, or
# the nearest of all comes right before or after in X. Of independent rows in a single dimension
# 43 % have such a gap, in two dimensions 12 %.
_GAP = 3.0
_MANY = 0.5
_NEIGHBORS = 64
_LEAST_ROWS = 50  # of which to say anything
_DISTANCE_WORK = 2e9  # multiplications
_FEWEST_LOOKED_AT = 25  # whose share is not below half of _MANY by chance, if _MANY is exceeded


class Rows(NamedTuple):
    """Some rows of a matrix."""

    indices: np.ndarray  # (n_rows,) of int
    weight: np.ndarray  # (n_rows,)


class Split(NamedTuple):
    """Rows to train on, and others to judge by how that goes."""

    training: Rows
    validation: Rows
    groups: np.ndarray | None  # (n_validation,) of int: rows that belong together, if any do


class FitRows:
    """The different rows of a fit, with what belongs to them and decides what is held out.

    Equal rows count as one with the sum of their weights, if their labels and their groups are
    equal, too.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_columns)
        With whatever a network takes beside the features.
    sample_weight : ndarray of shape (n_samples,)
    shuffle : bool
        Whether the order of the rows is that of their content, or that of X.
    merge : bool
        False leaves the rows as they are, but for those of no weight.
    labels : ndarray of int of shape (n_samples,), optional
    y : array-like of shape (n_samples, ...), optional
        What the user's splitter may want to see.
    groups : array-like of shape (n_samples,), optional
        Rows of one group belong together, on one side of any split.
    validation : {ndarray, csr_array} of shape (n_validation, n_columns), optional
        Rows to hold out, if the user gives them. They come after the others in ``X``.
    validation_labels : ndarray of int of shape (n_validation,), optional

    Attributes
    ----------
    X : {ndarray, csr_array}
    indices, weight : ndarray of shape (n_rows,)
        The rows that differ.
    """

    is_streamed = False

    def __init__(
        self,
        X,
        sample_weight,
        *,
        shuffle,
        merge=True,
        labels=None,
        y=None,
        groups=None,
        validation=None,
        validation_labels=None,
    ) -> None:
        self.given: Any = X
        self.given_weight = sample_weight
        self.y = y
        self.groups = None if groups is None else group_numbers(groups, X)
        self.X, self.fixed = X, None
        self.keys, self.labels = _keys(labels, self.groups), labels
        self.found: dict[int, Any] = {}  # of rows, which candidates that see the same ones share
        if merge:
            self.indices, self.weight = merge_equal_rows(X, sample_weight, self.keys)
        else:
            self.indices = np.flatnonzero(sample_weight)
            self.weight = sample_weight[self.indices]
        if not shuffle:
            order = np.argsort(self.indices)
            self.indices, self.weight = self.indices[order], self.weight[order]
        if validation is not None:
            ones = np.ones(validation.shape[0])
            indices, weight = merge_equal_rows(validation, ones, validation_labels)
            self.fixed = Rows(indices + X.shape[0], weight)
            self.X = _stacked(X, validation)
            if validation_labels is not None and labels is not None:
                self.labels = np.concatenate([labels, validation_labels])

    def __len__(self) -> int:
        return len(self.indices)

    def splits(self, how, seed: int, *, folds: bool = True) -> list[Split]:
        """Return what is held out, once or in the folds of a cross-validation.

        Parameters
        ----------
        how : float, "auto", splitter or rows
            The estimator's ``validation_fraction``.
        seed : int
        folds : bool
            Whether "auto" may be a cross-validation, as it is for few rows.
        """
        if self.fixed is not None:
            return [Split(Rows(self.indices, self.weight), self.fixed, None)]
        _refuse_names(how, known=("auto",))
        if is_splitter(how):
            return self._of_splitter(how)
        units = self._units()
        n_units = units.max() + 1
        if n_units < 2:
            raise ValueError(
                f"groups has one value for all {len(self)} rows, so none of them can be held out. "
                "Give at least two groups, or set early_stopping=False."
            )
        order = np.random.RandomState(seed).permutation(n_units)
        if self.has_folds(how, folds=folds):
            parts = np.array_split(order, min(_N_FOLDS, n_units))
            n_held_out = np.cumsum([_among(units, part).sum() for part in parts])
            parts = parts[: int(np.searchsorted(n_held_out, _ENOUGH_ROWS)) + 1]
        else:
            share = _SHARE if how == "auto" else how
            parts = [order[: self._n_units_to_hold_out(units, order, share * len(self))]]
        return [self._holding(_among(units, part)) for part in parts]

    def has_folds(self, how, *, folds: bool = True) -> bool:
        """Whether rows are held out to find an epoch only, as parts of a cross-validation."""
        is_auto = isinstance(how, str) and how == "auto"
        return folds and is_auto and self.fixed is None and len(self) < _FEW_ROWS

    def split_by_class(self, how, seed: int, labels: np.ndarray) -> Split:
        """Return what is held out once, of each class the same share.

        Parameters
        ----------
        how, seed
            As in `splits`, but for "auto". Of a splitter it is the first split.
        labels : ndarray of int of shape (n_rows,)
            Class numbers, or a negative number: such rows are not held out.
        """
        _refuse_names(how, known=())
        if self.fixed is not None or is_splitter(how):
            return self.splits(how, seed)[0]
        units = self._units()
        return self._holding(_of_each_class(labels, units, how, seed))

    def _units(self) -> np.ndarray:
        """Return one number for rows that are held out together; warn if nothing says which are."""
        if self.groups is None:
            self._warn_of_near_copies()
            return np.arange(len(self))
        return np.unique(self.groups[self.indices], return_inverse=True)[1]

    def _n_units_to_hold_out(self, units: np.ndarray, order: np.ndarray, n_wanted: float) -> int:
        """Return how many units, the first in an order, hold nearest to a number of rows."""
        if self.groups is None:  # a unit is a row, so none have to be counted
            return int(np.clip(np.ceil(n_wanted - 0.5), 1, len(order) - 1))
        counts = np.cumsum(np.bincount(units)[order])[:-1]
        return int(np.abs(counts - n_wanted).argmin()) + 1

    def _holding(self, held_out: np.ndarray) -> Split:
        """Return the split in which some of the rows are held out, given as a mask."""
        groups = None if self.groups is None else self.groups[self.indices[held_out]]
        return Split(
            Rows(self.indices[~held_out], self.weight[~held_out]),
            Rows(self.indices[held_out], self.weight[held_out]),
            groups,
        )

    def _of_splitter(self, splitter) -> list[Split]:
        """Return the splits of the user's splitter, which sees the rows as they were given."""
        splits = []
        for training, validation in splitter.split(self.given, self.y, self.groups):
            sides = []
            for side in (training, validation):
                weight = np.zeros(self.given.shape[0])
                weight[side] = self.given_weight[side]
                if not weight.any():
                    raise ValueError(
                        f"validation_fraction={splitter!r} has a split of {len(training)} rows to "
                        f"train on and {len(validation)} to hold out, none of which has a positive "
                        "weight. Give another splitter, or a number."
                    )
                sides.append(Rows(*merge_equal_rows(self.given, weight, self.keys)))
            groups = None if self.groups is None else self.groups[sides[1].indices]
            splits.append(Split(sides[0], sides[1], groups))
        if not splits:
            raise ValueError(
                f"validation_fraction={splitter!r} has no split, so no rows can be held out. Give "
                "another splitter, or a number."
            )
        return splits

    def _warn_of_near_copies(self) -> None:
        _tell_of_near_copies(*_near_copies(self.given, np.sort(self.indices)))


class StreamedFitRows(FitRows):
    """The rows of a fit that are read from a source, and held out by a hash of what they hold.

    Equal rows stay apart, as nothing but a look at all rows at one time could tell them; but they
    have one hash, and so are on one side of a split. A byte for each row says on which. Where
    all groups, or all kinds of equal rows, are more than may be held out, some rows of the smallest
    are, and the rest of it is on neither side.

    Parameters
    ----------
    X : RowSource
    sample_weight : ndarray of shape (n_samples,)
    groups : array-like of shape (n_samples,), optional
    validation : ndarray of shape (n_validation, n_features), optional
        Rows to hold out, if the user gives them.
    """

    is_streamed = True

    def __init__(self, X: RowSource, sample_weight, *, groups=None, validation=None) -> None:
        self.given, self.given_weight = X, sample_weight
        self.X, self.fixed, self.keys, self.y = X, None, None, None
        self.labels, self.found = None, {}
        self.groups = None if groups is None else group_numbers(groups, X)
        self.indices: Any = all_rows(X)
        self.weight = sample_weight
        if not sample_weight.all():
            self.indices = RowChoice(len(X), sample_weight > 0)
            self.weight = sample_weight[sample_weight > 0]
        if validation is not None:
            mask = np.zeros(len(X) + len(validation), dtype=bool)
            mask[: len(X)] = sample_weight > 0
            self.X, self.indices = below(X, validation), RowChoice(len(mask), mask)
            indices, weight = merge_equal_rows(validation, np.ones(len(validation)))
            order = np.argsort(indices)
            self.fixed = Rows(indices[order] + len(X), weight[order])

    def splits(self, how, seed: int, *, folds: bool = True) -> list[Split]:
        """Return what is held out, once: a share of the rows, as far as memory goes."""
        if self.fixed is not None:
            return [Split(Rows(self.indices, self.weight), self.fixed, None)]
        _refuse_names(how, known=("auto",))
        if is_splitter(how):
            raise ValueError(
                f"validation_fraction={how!r} asks for all rows at once, but those of {self.X!r} "
                "are held out by a hash of each. Give a share of the rows, or rows to hold out."
            )
        share = _SHARE if isinstance(how, str) else how
        most = self.X.n_held_out
        if isinstance(how, str):
            share = min(share, 0.9 * most / len(self))
        elif share * len(self) > most:
            raise ValueError(
                f"validation_fraction={how} holds out {share * len(self):,.0f} of {len(self):,} "
                f"rows, which stay in memory, but {most:,} are as many as fit there. Give at most "
                f"{0.9 * most / len(self):.2g}, or allow more memory than "
                f"{self.X.memory:,} bytes."
            )
        held_out = self._held_out(share, most, seed)
        if self.groups is None:
            self._warn_of_near_copies()
        masks = [~held_out, held_out]
        if self.indices.mask is not None:
            masks = [self.indices.mask & side for side in masks]
        sides = [RowChoice(len(self.X), side) for side in masks]
        if not all(len(side) for side in sides):
            raise ValueError(
                f"validation_fraction={how!r} holds out {len(sides[1])} of {len(self)} rows, since "
                "equal rows (or those of a group) go together; some have to be on each side. Give "
                "more rows that differ, or rows to hold out."
            )
        training, validation = (Rows(*self._weighted(side)) for side in sides)
        some = places_among(len(sides[1]), most) if len(sides[1]) > most else slice(None)
        validation = Rows(sides[1][some], validation.weight[some])
        groups = None if self.groups is None else self.groups[validation.indices]
        return [Split(training, validation, groups)]

    def has_folds(self, how, *, folds: bool = True) -> bool:
        return False

    def _weighted(self, side: RowChoice):
        weight = self.given_weight
        even = weight.strides == (0,)  # without a number for each row
        return side, np.broadcast_to(weight[0], len(side)) if even else weight[side.mask]

    def _held_out(self, share: float, most: int, seed: int) -> np.ndarray:
        """Return which rows have a hash, of them or of their group, that is among the lowest.

        The hashes of many rows that differ are evenly spread, so those below a share are chosen
        in the same look. Others have to be counted first.
        """
        start = np.uint64(np.random.RandomState(seed).randint(2**62, dtype=np.uint64))
        n_wanted, is_there = share * len(self), self.indices.mask
        if self.groups is not None:
            there = self.groups if is_there is None else self.groups[is_there]
            units, counts = np.unique(there, return_counts=True)
            order = np.argsort(_mixed(units.astype(np.uint64), start))
            units, counts = units[order], counts[order]
            return _among(self.groups, units[_nearest_units(counts, n_wanted, most)])
        held_out, below_it = np.empty(len(self.X), dtype=bool), np.uint64(int(share * 2**64))
        for chunk, hashes in self._hashes(start):
            held_out[chunk] = hashes < below_it
        n_held_out = np.count_nonzero(held_out if is_there is None else held_out & is_there)
        if 0 < n_held_out <= min(most, len(self) - 1):
            return held_out
        units, counts = self._lowest_hashes(start, min(most, _MOST_UNITS) + len(self) // most + 2)
        chosen = units[_nearest_units(counts, n_wanted, most)]
        for chunk, hashes in self._hashes(start):
            held_out[chunk] = np.isin(hashes, chosen)
        return held_out

    def _hashes(self, start: np.uint64) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield hashes of the rows, some at a time."""
        for chunk, rows in dense_chunks(self.X, None):
            yield chunk, _mixed(row_hashes(rows), start)

    def _lowest_hashes(self, start: np.uint64, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return as many different hashes, in their order, and of how many rows each is."""
        lowest, counts = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        for chunk, hashes in self._hashes(start):
            if self.indices.mask is not None:
                hashes = hashes[self.indices.mask[chunk]]
            if len(lowest) == most:  # others have as many before them already
                hashes = hashes[hashes <= lowest[-1]]
            others, n_others = np.unique(hashes, return_counts=True)
            lowest, unit = np.unique(np.concatenate([lowest, others]), return_inverse=True)
            both = np.zeros(len(lowest), dtype=np.int64)
            np.add.at(both, unit, np.concatenate([counts, n_others]))
            lowest, counts = lowest[:most], both[:most]
        return lowest, counts

    def _warn_of_near_copies(self) -> None:
        _tell_of_near_copies(*_near_copies(self.X, all_rows(self.X)))


def fit_rows(X, sample_weight, *, groups=None, validation=None, **how) -> FitRows:
    """Return the rows of a fit, which are those of a source if X is one."""
    if isinstance(validation, RowSource):
        validation.refuse_whole("be held out, which stays in memory")
    if isinstance(X, RowSource):
        return StreamedFitRows(X, sample_weight, groups=groups, validation=validation)
    return FitRows(X, sample_weight, groups=groups, validation=validation, **how)


def _mixed(hashes: np.ndarray, start: np.uint64) -> np.ndarray:
    """Return hashes of hashes, of which each bit depends on all: the end of MurmurHash3."""
    hashes = hashes ^ start
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes ^= hashes >> np.uint64(33)
        hashes *= np.uint64(multiplier)
    return hashes ^ (hashes >> np.uint64(33))


def _nearest_units(counts: np.ndarray, n_wanted: float, most: int) -> list[int]:
    """Return the first units that hold nearest to a number of rows, passing by those too large.

    If all of them have more rows than the most, it is the smallest. One is always left.
    """
    chosen: list[int] = []
    total = 0
    for unit, n_rows in enumerate(counts.tolist()):
        if total + n_rows > most:
            continue
        if chosen and total + n_rows - n_wanted >= n_wanted - total:
            break
        chosen.append(unit)
        total += n_rows
    return (chosen or [int(counts.argmin())])[: len(counts) - 1]


def evened(splits: list[Split]) -> list[Split]:
    """Return splits of one size where they differ by one row: some get one more, of no weight.

    Networks can only be trained side by side by batches of one size.
    """
    if any(split.groups is not None for split in splits):
        return splits
    for side in ("training", "validation"):
        sizes = [len(getattr(split, side).indices) for split in splits]
        if max(sizes) == min(sizes) + 1:
            parts = [_padded(getattr(split, side), max(sizes)) for split in splits]
            pairs = zip(splits, parts, strict=True)
            splits = [Split(**{**split._asdict(), side: part}) for split, part in pairs]
    return splits


def _padded(rows: Rows, n_rows: int) -> Rows:
    n_more = n_rows - len(rows.indices)
    weight = np.append(rows.weight, np.zeros(n_more))
    return Rows(np.append(rows.indices, rows.indices[:n_more]), weight)


def is_splitter(how) -> bool:
    """Whether this is one of scikit-learn's splitters, or like them."""
    return hasattr(how, "split") and not isinstance(how, str)


def _refuse_names(how, *, known: tuple[str, ...]) -> None:
    """Raise an error for text that stands for nothing: it has a method `split`, as splitters do."""
    if isinstance(how, str) and how not in known:
        names = "".join(f"{name!r}, " for name in known)
        raise ValueError(
            f"validation_fraction={how!r} is not known; give {names}a share of the rows in (0, 1), "
            "a splitter of scikit-learn, or rows to hold out."
        )


def folds(how, X, sample_weight, indices: np.ndarray, groups, seed: int) -> np.ndarray:
    """Return which rows are held out by which fold, so that each is held out by one at least.

    Parameters
    ----------
    how : int or splitter
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,)
    indices : ndarray of int of shape (n_rows,)
        The rows that differ.
    groups : ndarray of int of shape (n_samples,) or None
    seed : int

    Returns
    -------
    ndarray of bool of shape (n_folds, n_rows)
    """
    if is_splitter(how):
        keys, trained_on = row_hashes(X), []
        for training, _ in how.split(X, None, groups):
            counts = np.zeros(X.shape[0], dtype=bool)
            counts[training] = True
            trained_on.append(np.isin(keys[indices], keys[counts & (sample_weight > 0)]))
        held_out = ~np.array(trained_on).reshape(-1, len(indices))
    else:
        units = np.arange(len(indices))
        if groups is not None:
            units = np.unique(groups[indices], return_inverse=True)[1]
        n_units = int(units.max()) + 1
        n_folds = min(how, n_units)
        fold = np.random.RandomState(seed).permutation(np.arange(n_units) % n_folds)[units]
        held_out = fold == np.arange(n_folds)[:, None]
    never = np.flatnonzero(~held_out.any(axis=0))
    if len(never):
        raise ValueError(
            f"n_folds={how!r} holds {len(never)} of {len(indices)} different rows out of no fold "
            f"(the first is row {indices[never].min()} of X), so nothing could judge them that was "
            "not trained on them. Give a splitter whose test sets have all rows, or a number."
        )
    n_left = int((~held_out).sum(axis=1).min())
    if n_left < 2:
        what = "rows of positive weight" if groups is None else "rows of positive weight in groups"
        raise ValueError(
            f"X has {len(indices)} different {what}, of which {n_left} would be left to train on "
            f"without one of {len(held_out)} folds; at least 2 are needed. Give more rows, or more "
            f"folds than n_folds={how!r}."
        )
    return held_out


class FoldsOfRows:
    """Which folds hold a row out, for rows that are recognized by 64 bits of their values.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    indices : ndarray of int of shape (n_rows,)
        The rows that differ.
    held_out : ndarray of bool of shape (n_folds, n_rows)
        What `folds` returns.
    """

    def __init__(self, X, indices: np.ndarray, held_out: np.ndarray) -> None:
        hashes = row_hashes(X)[indices]
        order = np.argsort(hashes)
        self.dtype, self.hashes, self.held_out = X.dtype, hashes[order], held_out[:, order]

    def unseen(self, X) -> np.ndarray:
        """Return which folds have not trained on which rows, all of them for a new row."""
        hashes = row_hashes(X.astype(self.dtype, copy=False))
        place = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return self.held_out[:, place] | (self.hashes[place] != hashes)

    def to_hold_out(self, X) -> np.ndarray:
        """Return which folds are not to train on which rows: one of them for a new row.

        It is the same one whenever the row comes, as its values decide it.
        """
        unseen = self.unseen(X)
        mixed = _mixed(row_hashes(X.astype(self.dtype, copy=False)), np.uint64(0))
        fold = mixed % np.uint64(len(unseen)) == np.arange(len(unseen), dtype=np.uint64)[:, None]
        return np.where(unseen.all(axis=0), fold, unseen)

    def joined(self, X, held_out: np.ndarray) -> "FoldsOfRows":
        """Return the same for other rows, too, (n_folds, n_rows) of them, which come before."""
        hashes = np.concatenate([row_hashes(X.astype(self.dtype, copy=False)), self.hashes])
        result = copy(self)
        result.hashes, first = np.unique(hashes, return_index=True)
        result.held_out = np.concatenate([held_out, self.held_out], axis=1)[:, first]
        return result


def _keys(*kinds: np.ndarray | None) -> np.ndarray | None:
    """Return one number for each combination of numbers that rows have, if they have any."""
    given = [kind for kind in kinds if kind is not None]
    if len(given) < 2:
        return given[0] if given else None
    return np.unique(np.stack(given), axis=1, return_inverse=True)[1].reshape(-1)


def group_numbers(groups, X) -> np.ndarray:
    """Return groups of any kind as numbers, in the order of their values."""
    groups = column_or_1d(groups)
    check_consistent_length(X, groups)
    try:
        missing = groups != groups
        if np.any(missing):
            raise ValueError(
                f"groups has a missing value, for row {np.flatnonzero(missing)[0]} of X. Give each "
                "row a group; one that belongs to no other has a group of its own."
            )
        return np.unique(groups, return_inverse=True)[1]
    except TypeError as error:
        kinds = sorted({type(group).__name__ for group in groups})
        raise ValueError(f"groups has values of several types, {kinds}; give one.") from error


def _among(units: np.ndarray, some: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return which rows are of some units, as a mask: `np.isin` takes more memory than it."""
    is_one = np.zeros(units.max() + 1, dtype=bool)
    is_one[some] = True
    return is_one[units]


def _tell_of_near_copies(share: float, what: str) -> None:
    if share > _MANY:
        warn(
            f"{share:.0%} of the rows of X {what}. If such rows belong together, as repeated "
            "measurements and overlapping windows do, rows held out are known from training, "
            "and learning by heart looks like progress. Say which belong together with groups "
            "in fit, or hold out by a splitter, such as "
            "validation_fraction=sklearn.model_selection.TimeSeriesSplit().",
            DependentRowsWarning,
        )


def _near_copies(X, indices: np.ndarray) -> tuple[float, str]:
    """Return the share of the rows that have near-copies, and what is near about them.

    Of some rows the distances to all others are looked at, which takes little of a training, and
    first of a few of them, which tell enough if hardly one has a near-copy.
    """
    n_rows = len(indices)
    if n_rows < _LEAST_ROWS:
        return 0.0, ""
    n_looked_at = int(np.clip(_DISTANCE_WORK / (n_rows * X.shape[1]), 50, 300))
    looked_at = places_among(n_rows, n_looked_at)
    share, what = _near_copies_of(looked_at[:: len(looked_at) // _FEWEST_LOOKED_AT], X, indices)
    if share >= _MANY / 2:
        share, what = _near_copies_of(looked_at, X, indices)
    if share <= _MANY:
        return share, what
    # Columns of two values say of what kind a row is: of some kinds there are few, so that others
    # of them are near and all else is far. Copies are near without these, too.
    return min((share, what), _near_copies_of(looked_at, X, indices, kinds=False))


def _near_copies_of(
    looked_at: np.ndarray, X, indices: np.ndarray, *, kinds: bool = True
) -> tuple[float, str]:
    """Return what share of the rows at some places of the indices have near-copies, and how.

    Without ``kinds``, columns of two values do not count.
    """
    some = np.concatenate([rows for _, rows in dense_chunks(X, indices[looked_at])])
    mean, _ = mean_and_scale(some, np.arange(len(some)), np.ones(len(some)))
    # Less the mean, as differences of small numbers are exact.
    some = fill_holes(some, mean) - mean
    counted: Any = slice(None)
    if not kinds:
        counted = np.count_nonzero(np.diff(np.sort(some, axis=0), axis=0), axis=0) > 1
        if not counted.any():
            return 0.0, ""
        some = some[:, counted]
    copies = row_hashes(some) if isinstance(X, RowSource) else None  # elsewhere they are merged
    squares = np.einsum("ij,ij->i", some, some)
    n_nearest = min(_NEIGHBORS, len(indices) - 2) + 1
    nearest = np.full((len(some), n_nearest), np.inf)  # squares of distances
    neighbor = np.zeros(len(some), dtype=int)
    for chunk, rows in dense_chunks(X, indices):
        rows = fill_holes(rows, mean) - mean
        rows = rows[:, counted]
        distance = squares[:, None] - 2 * (some @ rows.T) + np.einsum("ij,ij->i", rows, rows)
        distance = np.maximum(distance, 0, out=distance)
        itself = np.flatnonzero((chunk.start <= looked_at) & (looked_at < chunk.stop))
        distance[itself, looked_at[itself] - chunk.start] = np.inf
        if copies is not None:  # which are on one side of a split, as they have one hash
            distance[copies[:, None] == row_hashes(rows)] = np.inf
        closer = distance.min(axis=1) < nearest.min(axis=1)
        neighbor[closer] = chunk.start + distance[closer].argmin(axis=1)
        nearest = np.partition(np.hstack([nearest, distance]), n_nearest - 1)[:, :n_nearest]
    nearest.sort(axis=1)
    has_gap = (nearest[:, 1:] > _GAP**2 * nearest[:, :-1]) & np.isfinite(nearest[:, 1:])
    by_distance = has_gap.any(axis=1).mean()
    by_place = (np.abs(neighbor - looked_at) == 1).mean()
    if by_distance >= by_place:
        return by_distance, f"lie {_GAP:.0f} times nearer to a few others than to all the rest"
    return by_place, "are nearest to the row before or after them"


def _of_each_class(labels, units, share: float, seed: int) -> np.ndarray:
    """Return which rows to hold out: of each class the same share, and never all of it.

    Rows of one unit stay together. Where a share is less than half a row of each class, it is
    one unit of the largest.
    """
    random = np.random.RandomState(seed)
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    left = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    wanted = {label: round(share * count) for label, count in left.items()}
    if not any(wanted.values()):
        wanted[max(left, key=left.__getitem__)] = 1
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(labels >= 0).tolist():
        members.setdefault(int(units[row]), []).append(row)
    chosen = []
    for unit in random.permutation(list(members)).tolist():
        if not any(n > 0 for n in wanted.values()):
            break
        mine = np.bincount(labels[members[unit]], minlength=max(left) + 1)
        of_unit = {label: int(mine[label]) for label in left if mine[label]}
        if all(n < left[label] for label, n in of_unit.items()) and any(
            wanted[label] > 0 for label in of_unit
        ):
            chosen.append(unit)
            for label, n in of_unit.items():
                left[label] -= n
                wanted[label] -= n
    if not chosen:
        raise ValueError(
            f"early_stopping=True holds rows out, but each of {len(classes)} classes has a single "
            "one that differs (or a single group). Give more rows, or set early_stopping=False."
        )
    return _among(units, chosen)


def _stacked(X, others):
    """Return X with other rows below its own, sparse if X is."""
    if sp.issparse(X):
        return sp.vstack([X, sp.csr_array(others, dtype=X.dtype)], format="csr")
    others = others.toarray() if sp.issparse(others) else others
    return np.concatenate([X, others.astype(X.dtype, copy=False)])
