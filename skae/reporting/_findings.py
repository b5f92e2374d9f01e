"""What a report is about: numbers only, which the page shows."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skae._code_effects import CodeEffect
from skae._table_values import Values
from skae.comparison import Comparison
from skae.reporting._unusual import Unusual

NO_NAME = "target"  # what a target without a name is called


class Column(NamedTuple):
    """A column of the table, or its target."""

    name: Any
    values: Values
    n_missing: int
    share_rebuilt: float | None  # NaN where it is the same in all rows; of a target None
    share_of_new: float | None = None  # the same of rows not fitted to; None where there are none


class Filled(NamedTuple):
    """A hole, and what the codes say of it."""

    row: int
    label: str
    column: Any
    text: str


class Holes(NamedTuple):
    """What is missing, and what it was filled with."""

    counts: list[tuple[Column, int]]  # of the columns that have any, the most first
    examples: list[Filled]
    n_holes: int


class Methods(NamedTuple):
    """The comparison, or why there is none."""

    comparison: Comparison | None
    rows: np.ndarray  # (n_compared,), positions in the table of the rows compared
    notes: list[str]


@dataclass
class Findings:
    """What was found in a table.

    Parameters
    ----------
    columns : list of Column
        Those of the table, in its order.
    target : Column or None
    labels : list of str
        What rows are called, by their index.
    codes : ndarray of shape (n_rows, 2)
    score : float
        Share of the table that the codes rebuild.
    methods : Methods or None
        None if no methods were asked for.
    effects : list of CodeEffect
    unusual : Unusual
    holes : Holes
    drawn : ndarray of int
        Positions of the rows that pictures show, in order.
    compared : ndarray of int
        Of the rows drawn, by their places in `drawn`, those that embeddings of methods show.
    notes : list of str
        What the fit of the autoencoder warned of.
    settings : dict
        The parameters of the report, seed and all.
    """

    columns: list[Column]
    target: Column | None
    labels: list[str]
    codes: np.ndarray
    score: float
    methods: Methods | None
    effects: list[CodeEffect]
    unusual: Unusual
    holes: Holes
    drawn: np.ndarray
    compared: np.ndarray
    notes: list[str]
    settings: dict[str, Any]

    @property
    def n_rows(self) -> int:
        """Number of rows of the table."""
        return len(self.codes)
