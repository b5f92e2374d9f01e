"""The journal of a fit: what its trainings have done so far, in a file that the fit goes on from.

For the same parameters, seed and rows, a fit is the same sequence of trainings. So a journal has
them in the order in which they come: of one that has ended what it leaves behind, of the one that
was interrupted the state at the end of an epoch. A fit that finds its journal takes both from
there, and computes anew what lies between trainings.
"""

import copy
import functools
import hashlib
import inspect
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from numbers import Real
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import nn

from ._processes import processes_of_fit
from ._seeding import global_draws, go_on_drawing
from ._sources import RowChoice, RowSource
from ._value_files import FORMAT, ValueReader, ValueWriter, hold, package_versions, read, write
from .exceptions import ModelFileError

# Without a number of seconds, writing takes at most one part in this many of the time.
_SHARE_OF_TIME = 20

_DIGITS = 16  # of a SHA-256, of the 64 that it has

_MOST_TOLD = 5  # differences in an error

# What is known of a training, and of which type it is.
_ENTRY: dict[str, Any] = {
    "label": str,
    "rows": str,  # the digest of which it is trained on
    "max_iter": int,
    "n_epochs": int,  # done when it was written
    "state": (dict, type(None)),  # at their end
    "left": (dict, type(None)),  # behind, by one that has ended
    "draws": (list, type(None)),  # what torch's global generators go on from
}


class Training:
    """A training of a fit, as far as its journal knows it.

    Parameters
    ----------
    journal : Journal
    entry : dict
        What the journal has of it.
    """

    def __init__(self, journal: "Journal", entry: dict[str, Any]) -> None:
        self._journal, self._entry = journal, entry

    @property
    def n_epochs(self) -> int:
        """How many epochs need not be trained again."""
        return self._entry["n_epochs"]

    @property
    def has_ended(self) -> bool:
        return self._entry["left"] is not None

    def take(self, function: Callable[[Any], Any]) -> Any:
        """Give a function what the training has left behind, or the state that it was in.

        Nothing, if it begins.
        """
        entry = self._entry
        kept = entry["left"] if self.has_ended else entry["state"]
        if kept is None:
            return None
        try:
            result = function(kept)
            if entry["draws"] is not None:
                go_on_drawing(entry["draws"])
        except Exception as error:  # whatever the file says: a forger may write anything
            raise ModelFileError(
                f"{self._journal.path}: what it has of {entry['label']!r} is not what such a "
                f"training keeps ({type(error).__name__}: {str(error)[:300]})."
            ) from error
        entry["state"] = None  # it is twice in memory
        return result

    def keep(self, n_epochs: int, state: Callable[[], dict[str, Any]]) -> None:
        """Write down the state at the end of an epoch, if it is time to."""
        if self._journal.is_due():
            draws = self._journal.draws()
            self._entry |= {"n_epochs": n_epochs, "state": state(), "draws": draws}
            self._journal.write()
            self._entry["state"] = None  # which the next epoch changes

    def end(self, n_epochs: int, left: Callable[[], dict[str, Any]]) -> None:
        """Note what the training leaves behind."""
        if self._journal.path is not None:
            draws, copied = self._journal.draws(), copy.deepcopy(left())
            self._entry |= {"n_epochs": n_epochs, "state": None, "left": copied, "draws": draws}
            if self._journal.is_due():
                self._journal.write()


class Journal:
    """What a fit has done so far; silent without a path.

    Of several processes that train together, the main one reads and writes it, and all know it.

    Parameters
    ----------
    path : str, optional
        The file, if there is to be one. It is read if it is there.
    every : float, optional
        Seconds between two times that it is written, always at the end of an epoch.
    """

    def __init__(self, path: str | None = None, every: float | None = None) -> None:
        self.path, self.every = path, every
        self.fits: list[dict[str, str]] = []  # what each of the fits that are one is recognized by
        self.seeds: list[int] = []
        self.trainings: list[dict[str, Any]] = []
        self._n_asked = {"fits": 0, "seeds": 0, "trainings": 0}
        self._draws_globally = False
        self._written, self._took = 0.0, 0.0
        self._file = path if processes_of_fit().is_main else None
        if self._file is not None and os.path.lexists(self._file):
            self._read()
        if path is not None:
            known = self.fits, self.seeds, self.trainings
            self.fits, self.seeds, self.trainings = processes_of_fit().first(known)

    def seed(self, draw: Callable[[], int]) -> int:
        """Return the seed that was drawn at this place, or what is drawn now."""
        drawn = draw()  # in any case, as it may move the user's generator
        return drawn if self.path is None else self._next(self.seeds, "seeds", drawn)

    def recognize(self, fit: dict[str, str], *, draws_globally: bool) -> None:
        """Refuse to go on with another fit than the one that the journal is of.

        Parameters
        ----------
        fit : dict of str to str
            What it is recognized by, as an error tells it.
        draws_globally : bool
            Whether torch's global generators are those of the fit, and are to be kept.
        """
        known, self._draws_globally = self._next(self.fits, "fits", fit), draws_globally
        names = [name for name in {**known, **fit} if known.get(name) != fit.get(name)]
        if names:
            told = "; ".join(
                f"{name} was {known.get(name, 'not there')} and is {fit.get(name, 'not there')}"
                for name in names[:_MOST_TOLD]
            )
            raise ValueError(
                f"checkpoint={self.path!r} is the journal of another fit, which was interrupted: "
                f"{told}. To begin anew, remove the file or give another path; to go on with that "
                "fit, give it what it had. Each fit needs a path of its own."
            )
        if not self.trainings and len(self.fits) == 1:  # a path that can't be written is told now
            self.write()

    def training(self, label: str, max_iter: int, rows: Sequence[Any]) -> Training:
        """Return the next training, which may have been there before.

        Parameters
        ----------
        label : str
        max_iter : int
            The most epochs that it has.
        rows : sequence of StandardizedRows
            All rows that have to do with it.
        """
        entry = {"label": label, "rows": "", "max_iter": max_iter, "n_epochs": 0}
        entry |= {"state": None, "left": None, "draws": None}
        if self.path is not None:
            entry["rows"] = digest(
                *(a for some in rows for a in (some.indices, some.sample_weight))
            )
            wanted = {name: entry[name] for name in ("label", "rows", "max_iter")}
            entry = self._next(self.trainings, "trainings", entry)
            if any(entry[name] != value for name, value in wanted.items()):
                raise ValueError(
                    f"checkpoint={self.path!r}: {entry['label']!r} was to have up to "
                    f"{entry['max_iter']} epochs, and now comes {label!r} of up to {max_iter}, "
                    "with these or other rows. The fit does not go the same way again: give "
                    "splitters an int as random_state. To begin anew, remove the file."
                )
        return Training(self, entry)

    def is_due(self) -> bool:
        """Whether it is time to write; never without a path."""
        if self._file is None:
            return False
        pause = _SHARE_OF_TIME * self._took if self.every is None else self.every
        return perf_counter() - self._written >= pause

    def draws(self) -> list[Any] | None:
        return global_draws() if self._draws_globally else None

    def write(self) -> None:
        """Put a file of all that is known in the place of the last one."""
        if self._file is None:
            return
        begin, writer = perf_counter(), ValueWriter()
        last = self.trainings[-1] if self.trainings else None
        told = {
            "estimator": self.fits[0]["estimator"],
            "rows": self.fits[0]["rows"],
            "n_ended": sum(entry["left"] is not None for entry in self.trainings),
            "last": last and [last["label"], last["n_epochs"], last["max_iter"]],
            "has_ended": last is not None and last["left"] is not None,
        }
        values = {"fits": self.fits, "seeds": self.seeds, "trainings": self.trainings}
        told["values"] = writer.node(values, "checkpoint")
        document = {"format": FORMAT, "versions": package_versions(), "checkpoint": told}
        write(self.path, document, writer.tensors)
        self._written = perf_counter()
        self._took = self._written - begin

    def remove(self) -> None:
        """Take the file away."""
        if self._file is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._file)

    def _next(self, known: list, name: str, new: Any) -> Any:
        """Return what was noted at this place of a list, or note what is new."""
        place = self._n_asked[name]
        self._n_asked[name] += 1
        if place == len(known):
            known.append(new)
        return known[place]

    def _read(self) -> None:
        contents = read(self.path, FORMAT)
        document = contents.document
        if "checkpoint" not in document:
            raise ModelFileError(
                f"{self.path}: it is not the journal of a fit, and is left as it is. Give "
                "checkpoint the path of one, or of a file that is not there yet."
            )
        try:
            reader = ValueReader(contents.tensors)
            values = reader.value(document["checkpoint"]["values"])
            reader.finish()
            _check(values)
        except Exception as error:  # whatever the document says: a forger may write anything
            raise ModelFileError(f"{self.path}: {error}") from error
        self.fits, self.seeds = values["fits"], values["seeds"]
        self.trainings = values["trainings"]


def _check(values: Any) -> None:
    """Refuse what no journal writes, as far as it can be told before the trainings."""
    if type(values) is not dict or [*values] != ["fits", "seeds", "trainings"]:
        raise ValueError("its values are not those of a journal")
    fits, seeds, trainings = values.values()
    if not all(type(several) is list for several in (fits, seeds, trainings)) or not fits:
        raise ValueError("it has no lists of fits, seeds and trainings")
    texts = [text for fit in fits for pair in dict.items(fit) for text in pair]
    if not all(type(text) is str for text in texts):
        raise ValueError("a fit is recognized by texts")
    if not all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds):
        raise ValueError("a seed is no number from 0 on")
    for entry in trainings:
        if [*entry] != [*_ENTRY] or not all(
            isinstance(entry[name], wanted) for name, wanted in _ENTRY.items()
        ):
            raise ValueError("a training is not as a journal has it")
        n_known = (entry["state"] is not None) + (entry["left"] is not None)
        if not 0 <= entry["n_epochs"] <= entry["max_iter"] or n_known > 1:
            raise ValueError("a training has an end and a state, or too many epochs")
        if n_known == 0 and entry["n_epochs"]:
            raise ValueError("a training has done epochs that left nothing")


_OF_THIS_FIT: ContextVar[Journal] = ContextVar("_OF_THIS_FIT")


def journal_of_fit() -> Journal:
    """Return the journal of the fit that goes on."""
    return _OF_THIS_FIT.get(Journal())


@contextmanager
def keeping_journal(checkpoint: Any) -> Iterator[None]:
    """Give a fit the journal that its parameter ``checkpoint`` asks for, and remove it at its end.

    A fit that is a part of another one with the same file has that one's.
    """
    path, every = place_of(checkpoint)
    if path is not None and journal_of_fit().path == path:
        yield
        return
    with hold(path if processes_of_fit().is_main else None):
        journal = Journal(path, every)
        token = _OF_THIS_FIT.set(journal)
        try:
            yield
        finally:
            _OF_THIS_FIT.reset(token)
        journal.remove()


def place_of(checkpoint: Any) -> tuple[str | None, float | None]:
    """Return the path that a ``checkpoint`` gives, and after how many seconds it is written."""
    path, every = checkpoint, None
    if isinstance(checkpoint, tuple):
        path, every = checkpoint if len(checkpoint) == 2 else (None, None)
        is_time = isinstance(every, Real) and float(every) >= 0
        if not (isinstance(path, str | os.PathLike) and is_time):
            raise ValueError(
                f"checkpoint={checkpoint!r} is no pair of a path and the seconds between two times "
                "that it is written, such as ('fit.skae', 60)."
            )
    return None if path is None else os.path.abspath(os.fsdecode(path)), every


def digest(*arrays: Any) -> str:
    """Return what arrays, dense or sparse, are recognized by: the begin of a SHA-256."""
    result = hashlib.sha256()
    for array in arrays:
        if array is None:
            result.update(b"none")
        elif sp.issparse(array):
            result.update(f"sparse {array.shape}".encode())
            result.update(digest(array.data, array.indices, array.indptr).encode())
        elif isinstance(array, RowSource | RowChoice):
            result.update(f"rows {len(array)}".encode())
            for block in array.blocks():
                result.update(np.ascontiguousarray(block).data)
        else:
            array = np.asarray(array)
            result.update(f"{array.dtype.str} {array.shape}".encode())
            size = max(1, 2**20 // max(1, array[:1].nbytes)) if array.ndim else 1
            for start in range(0, len(array) if array.ndim else 1, size):
                some = array[start : start + size] if array.ndim else array
                result.update(np.ascontiguousarray(some).data)
    return result.hexdigest()[:_DIGITS]


def described(value: Any) -> str:
    """Return a value as text: the same in each process, and another one for another value."""
    if isinstance(value, nn.Module):
        return f"{value!r} of {digest_of_state(value)}"
    if isinstance(value, np.ndarray) or sp.issparse(value):
        return f"{value.dtype} of shape {value.shape}, {digest(value)}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{described(key)}: {described(of)}' for key, of in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(described, value))})"
    if isinstance(value, functools.partial):
        return f"partial({', '.join(map(described, (value.func, value.args, value.keywords)))})"
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return f"{type(value).__name__}({described(value.get_params(deep=False))})"
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))


def digest_of_state(network: nn.Module) -> str:
    """Return what the numbers of a network are recognized by."""
    state = network.state_dict()
    return digest(*(value.cpu().numpy() for value in state.values() if hasattr(value, "cpu")))
