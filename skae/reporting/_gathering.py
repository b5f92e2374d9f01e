"""From a table to what a report says of it: fits, measures, and the choice of what is shown."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from skae._code_effects import code_effects
from skae._frames import is_missing, is_plain, layout_of, library_of, read, without_zones
from skae._labels import kind_of_target
from skae._table_values import Values
from skae._tables import TableAutoencoderTransformer
from skae.comparison import DEFAULT_METHODS, compare
from skae.comparison._methods import DEFAULT_METHODS_OF_TABLES
from skae.reporting._findings import Column, Filled, Findings, Holes, Methods
from skae.reporting._new_rows import shares_of_new_rows
from skae.reporting._unusual import unusual_rows
from skae.reporting._words import shortened, text_in, texts_of

LEAST_ROWS = 10
N_CODES = 2  # what a picture has
MOST_COMPARED = 400  # rows in each small picture of a method
MOST_HOLES = 50
N_UNUSUAL = 10
# Of the autoencoder, which take as long as it does and tell a reader of tables no more.
_VARIANTS = {"deep_autoencoder", "neighbor_autoencoder"}
STEPS = ("codes", "what codes mean", "unusual rows", "methods")

Begin = Callable[[str], None]


def gather(
    table: Any,
    y: Any,
    labels: list[str],
    settings: dict[str, Any],
    autoencoder: Any,
    begin: Begin,
):
    """Return the findings on a table, and the autoencoder of its codes.

    Parameters
    ----------
    table : DataFrame or ndarray of shape (n_rows, n_columns)
    y : tuple of a name and an ndarray of shape (n_rows,), or None
    labels : list of str
        What rows are called.
    settings : dict
        The parameters of the report; "seed" is a number.
    autoencoder : AutoencoderTransformer or None
    begin : callable
        Told each of `STEPS` when it begins.
    """
    seed = settings["seed"]
    target = None if y is None else target_column(*y)

    layout = layout_of(table, None)
    values = read(table, layout)
    n_different = _n_different(values)
    if n_different < LEAST_ROWS:
        raise ValueError(
            f"Only {n_different} rows of the table differ, so there is nothing to report. Give "
            f"{LEAST_ROWS} different rows at least."
        )

    begin(STEPS[0])
    transformer = TableAutoencoderTransformer(N_CODES, autoencoder=autoencoder, random_state=seed)
    notes: list[str] = []
    with _noting(notes):
        transformer.fit(table)
        codes = transformer.transform(table)
        shares = transformer.score_per_feature(table)
        score = transformer.score(table)
    rebuilt = read(transformer.inverse_transform(codes), layout)

    begin(STEPS[1])
    effects = code_effects(transformer, table)

    begin(STEPS[2])
    matrix = transformer.encoder_.transform(table)
    unusual = unusual_rows(
        transformer.encoder_, matrix, values, layout, labels, n_rows=N_UNUSUAL, seed=seed
    )

    begin(STEPS[3])
    methods = methods_on(table, target, y, settings)

    shares_of_new = [None] * len(values)
    if methods is not None and methods.comparison is not None:
        new = shares_of_new_rows(methods.comparison, _safe_indexing(table, methods.rows))
        shares_of_new = shares_of_new if new is None else new.tolist()
    columns = [
        Column(one.name, one, _n_missing(one), share, share_of_new)
        for one, share, share_of_new in zip(values, shares.tolist(), shares_of_new, strict=True)
    ]

    drawn, compared = _choose(
        len(codes), methods, [row.row for row in unusual.rows], settings["max_rows"], seed
    )
    findings = Findings(
        columns=columns,
        target=target,
        labels=labels,
        codes=codes,
        score=score,
        methods=methods,
        effects=effects,
        unusual=unusual,
        holes=holes_of(columns, rebuilt, labels),
        drawn=drawn,
        compared=compared,
        notes=notes,
        settings=settings,
    )
    return findings, transformer


@contextmanager
def _noting(notes: list[str]) -> Iterator[None]:
    """Add what is warned of to the notes, each once."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        yield
    notes += dict.fromkeys(shortened(w.message, 300) for w in caught)


def _n_different(values: list[Values]) -> int:
    """Return how many different rows there are; at most as many as are needed."""
    rows = np.column_stack([one.numbers for one in values])
    found: set[bytes] = set()
    for row in rows:
        found.add(row.tobytes())
        if len(found) == LEAST_ROWS:
            break
    return len(found)


def labels_of(table: Any, labels: Any = None) -> list[str]:
    """Return what the rows of a table are called: as given, by its index, or numbers from 0."""
    if labels is not None:
        return [shortened(label) for label in labels]
    if library_of(table) == "pandas":
        return [shortened(label) for label in table.index]
    return [str(i) for i in range(len(table))]


def target_column(name: str, y: np.ndarray) -> Column:
    """Return the target as a column, a category if it holds classes."""
    rows = y[:, None]
    known = [value for value in y.tolist() if not is_missing(value)]
    classes = len(known) > 0 and kind_of_target(np.asarray(known)) == "classes"
    layout = layout_of(rows, [0] if classes and y.dtype.kind not in "bM" else None)
    (values,) = read(rows, layout)
    values = values._replace(name=name)
    return Column(name, values, _n_missing(values), None)


def _n_missing(values: Values) -> int:
    return int(np.count_nonzero(np.isnan(values.numbers)))


def default_methods(plain: bool) -> list[str]:
    """Return the methods of a comparison of rows of numbers or of a table, of autoencoders one."""
    names = DEFAULT_METHODS if plain else DEFAULT_METHODS_OF_TABLES
    return [name for name in names if name not in _VARIANTS]


def methods_on(table, target, y, settings) -> Methods | None:
    """Compare methods on the rows whose target is known."""
    if settings["methods"] == []:
        return None
    rows = np.arange(len(table))
    notes: list[str] = []
    if target is not None and target.n_missing:
        rows = np.flatnonzero(~np.isnan(target.values.numbers))
        notes.append(f"without the {target.n_missing} rows whose target is missing")
        table = _safe_indexing(table, rows)
    plain = is_plain(table)
    try:
        with _noting(notes):
            comparison = compare(
                table,
                None if y is None else y[1][rows],
                methods=settings["methods"] or default_methods(plain),
                standardize=plain,  # columns of a table that is not have the same say anyway
                random_state=settings["seed"],
            )
    except ValueError as error:
        return Methods(None, rows, [*notes, f"no comparison: {error}"])
    return Methods(comparison, rows, notes)


def _choose(n_rows, methods, unusual, max_rows, seed):
    """Return the rows to draw, and which of them methods embed: random ones, and unusual ones."""
    random = np.random.RandomState(seed)
    tested = np.empty(0, dtype=int)
    if methods is not None and methods.comparison is not None:
        tested = methods.rows[methods.comparison.test_indices]
        tested = random.permutation(tested)[: min(MOST_COMPARED, max_rows)]
    others = random.permutation(n_rows)
    order = list(dict.fromkeys([*tested.tolist(), *unusual, *others.tolist()]))
    drawn = np.sort(order[:max_rows])
    return drawn, np.searchsorted(drawn, np.sort(tested))


def holes_of(columns, rebuilt, labels) -> Holes:
    """Return what is missing, and what `impute` fills in; examples of columns in turn."""
    some = [(column, values) for column, values in zip(columns, rebuilt, strict=True)]
    some = [(column, values) for column, values in some if column.n_missing]
    some.sort(key=lambda pair: -pair[0].n_missing)
    places = [np.flatnonzero(np.isnan(column.values.numbers)) for column, _ in some]
    turns = [
        (turn, i, row)
        for i, rows in enumerate(places)
        for turn, row in enumerate(rows[:MOST_HOLES])
    ]
    chosen = sorted(sorted(turns)[:MOST_HOLES], key=lambda one: (one[2], one[1]))
    texts = [texts_of(values) for _, values in some]
    examples = [
        Filled(int(row), labels[row], some[i][0].name, text_in(texts[i], row))
        for _, i, row in chosen
    ]
    counts = [(column, column.n_missing) for column, _ in some]
    return Holes(counts, examples, sum(count for _, count in counts))


def as_table(table: Any) -> Any:
    """Return a table whose columns can be read, with rows and columns enough to say anything."""
    if sp.issparse(table):
        raise TypeError("table is sparse; give table.toarray(), or compare methods with compare.")
    if library_of(table) == "numpy":
        table = np.asarray(table)
        if table.ndim != 2:
            raise ValueError(
                f"table has the shape {table.shape}; expected rows and columns, as a DataFrame of "
                "pandas or polars or an array of two dimensions."
            )
    n_rows, n_columns = table.shape
    if n_rows < LEAST_ROWS or n_columns < 2:
        raise ValueError(
            f"table has {n_rows} rows and {n_columns} columns beside the target; a report needs "
            f"{LEAST_ROWS} rows and two columns at least."
        )
    return without_zones(table)
