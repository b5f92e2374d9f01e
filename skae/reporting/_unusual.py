"""The rows that are most unusual, and what makes them so, by models that have not seen them."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from skae._frames import Layout, read
from skae._outliers import AutoencoderOutlierDetector
from skae._table_explanations import by_columns_of_table
from skae._table_values import Values
from skae.reporting._words import level_text, percent, shortened, text_in, texts_of

N_PARTS = 3  # columns shown of a row


class Part(NamedTuple):
    """What one column adds to what is unusual about a row."""

    column: str
    share: float  # of what all columns add
    value: str
    expected: str


class UnusualRow(NamedTuple):
    """A row that models of the other rows do not know."""

    row: int  # its position in the table
    label: str
    score: float  # of which a typical row has about one
    parts: list[Part]


class Unusual(NamedTuple):
    """The most unusual rows first, and what they are judged by."""

    rows: list[UnusualRow]
    scores: np.ndarray  # (n_rows,), NaN for rows without a value
    median: float
    n_empty: int  # rows without a value, which nothing can be said of
    notes: list[str]


def unusual_rows(
    encoder: Any,
    matrix: np.ndarray,
    table: list[Values],
    layout: Layout,
    labels: list[str],
    *,
    n_rows: int,
    seed: int,
) -> Unusual:
    """Find the most unusual rows of a table.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted to the table.
    matrix : ndarray of shape (n_rows, n_columns)
        What it makes of the table.
    table : list of Values
    layout : Layout
    labels : list of str
        What rows are called.
    n_rows : int
        How many to return, the most unusual first.
    seed : int
    """
    judged = np.flatnonzero(~np.isnan(matrix).all(axis=1))
    some = matrix[judged]
    with warnings.catch_warnings(record=True, action="always") as caught:
        detector = AutoencoderOutlierDetector(random_state=seed).fit(some)
    scores = -detector.score_samples(some)
    top = np.lexsort((judged, -scores))[:n_rows]

    explanation = detector.explain(some[top])
    contributions = by_columns_of_table(explanation.contributions, encoder)
    of_top = [values._replace(numbers=values.numbers[judged[top]]) for values in table]
    expected = _expected(encoder, explanation.expected, of_top, layout)
    actual = [texts_of(values) for values in of_top]
    rows = []
    for i, place in enumerate(top):
        total = contributions[i].sum()
        largest = np.argsort(-contributions[i], kind="stable")[:N_PARTS]
        parts = [
            Part(
                shortened(table[j].name),
                float(contributions[i, j] / total),
                text_in(actual[j], i),
                expected[j][i],
            )
            for j in largest
            if contributions[i, j] > 0
        ]
        row = int(judged[place])
        rows.append(UnusualRow(row, labels[row], float(scores[place]), parts))

    all_scores = np.full(len(matrix), np.nan)
    all_scores[judged] = scores
    notes = list(dict.fromkeys(shortened(w.message, 300) for w in caught))
    return Unusual(rows, all_scores, float(np.median(scores)), len(matrix) - len(judged), notes)


def _expected(encoder, matrix: np.ndarray, table: list[Values], layout: Layout):
    """Return what rows of the matrix stand for, a list of texts for each column of the table."""
    probabilities = encoder.level_probabilities(matrix)
    result = []
    for values, actual in zip(read(encoder.inverse_transform(matrix), layout), table, strict=True):
        if actual.levels is None:
            texts = texts_of(values)
            result.append([text_in(texts, i) for i in range(len(matrix))])
        else:
            levels = encoder.categories_[actual.name].tolist()
            pairs = zip(probabilities[actual.name], actual.numbers, strict=True)
            result.append([_likely(levels, row, actual.levels, n) for row, n in pairs])
    return result


def _likely(levels: list, probabilities: np.ndarray, of_values: list, number: float) -> str:
    """Return the most probable level and the one that is there, or the next, how probable each."""
    order = np.argsort(-probabilities, kind="stable").tolist()
    shown = order[:2]
    if not np.isnan(number):
        there = levels.index(of_values[int(number)])
        shown = list(dict.fromkeys([order[0], there, *order]))[:2]
    return ", ".join(f"{level_text(levels[i])} {percent(probabilities[i])}" for i in shown)
