"""report(): a table as one page of HTML that can be sent to a colleague."""

import sys
from dataclasses import dataclass
from datetime import datetime
from html import escape
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval
from tqdm import tqdm

from skae._autoencoder import AutoencoderTransformer
from skae._contract import validate_params
from skae._tables import TableAutoencoderTransformer
from skae.comparison._compare import _seed, _split_off_column
from skae.reporting._findings import NO_NAME, Findings
from skae.reporting._gathering import LEAST_ROWS, STEPS, as_table, gather, labels_of
from skae.reporting._page import page


@dataclass(repr=False, eq=False)
class Report:
    """Result of :func:`skae.report`: what was found in a table, and the page that shows it.

    Parameters
    ----------
    findings : Findings
        The numbers of the page.

    autoencoder : TableAutoencoderTransformer
        Fitted to the table; its codes are those in the page.

    when : datetime
        When it was made.
    """

    findings: Findings
    autoencoder: TableAutoencoderTransformer
    when: datetime

    def to_html(self, path=None) -> str | None:
        """Return the page, or write it.

        Parameters
        ----------
        path : str or path-like, default=None
            The file, overwritten if it exists.

        Returns
        -------
        str or None
            The page if no path is given.
        """
        text = page(self.findings, self.when)
        if path is None:
            return text
        Path(path).write_text(text, encoding="utf-8", newline="\n")
        return None

    def __repr__(self):
        n_rows, n_columns = self.findings.n_rows, len(self.findings.columns)
        return (
            f"<Report of {n_rows} rows of {n_columns} columns, of which two codes rebuild "
            f"{self.findings.score:.0%}; to_html(path) writes it>"
        )

    def _repr_html_(self):
        document = escape(page(self.findings, self.when))
        style = "width: 100%; height: 40rem; border: 0"
        return f'<iframe srcdoc="{document}" sandbox="allow-scripts" style="{style}"></iframe>'


def _listed(methods):
    """Return methods as a list or a dictionary; None stays what it is."""
    if methods is None or isinstance(methods, dict):
        return methods
    return [methods] if isinstance(methods, str) else list(methods)


@validate_params(
    {
        "y": ["array-like", str, None],
        "labels": ["array-like", None],
        "title": [str],
        "methods": [str, list, tuple, dict, None],
        "autoencoder": [AutoencoderTransformer, None],
        "max_rows": [Interval(Integral, LEAST_ROWS, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def report(
    table,
    y=None,
    *,
    labels=None,
    title="Report on a table",
    methods=None,
    autoencoder=None,
    max_rows=2000,
    random_state=None,
    verbose=0,
) -> Report:
    """Return a report on a table, one page of HTML that can be sent to a colleague.

    The page says what the columns are and how well two codes rebuild each; compares methods of
    dimensionality reduction; shows all rows by their codes, colored by any column; tells what the
    codes mean; and lists the rows that are most unusual, with the columns that make them so, and
    what missing values were filled with. It is a single file, which loads nothing and works from a
    disk. It holds values of the rows that it shows.

    Parameters
    ----------
    table : DataFrame or array-like of shape (n_rows, n_columns)
        A table of pandas or polars, or an array of numbers, with ten rows and two columns or more.

    y : array-like of shape (n_rows,) or str, default=None
        A target that the codes should tell, which methods are measured by and pictures colored by.
        A str is the name of a column of the table, which then is no feature. Where it is missing,
        a row is left out of the comparison.

    labels : array-like of shape (n_rows,), default=None
        What rows are called. None takes the index of a DataFrame of pandas, so
        ``table.set_index("name")`` names them too, and else their numbers from 0.

    title : str, default="Report on a table"
        The title of the page.

    methods : str, list of str or dict, default=None
        Those compared, as in :func:`skae.compare`; an empty list for none. None takes the same as
        there, but for variants of the autoencoder.

    autoencoder : AutoencoderTransformer, default=None
        That of the codes, as in `TableAutoencoderTransformer`.

    max_rows : int, default=2000
        The most rows that the page shows in pictures, and so holds: a random sample if there are
        more, with the most unusual rows in it. All are fitted and measured.

    random_state : int, RandomState instance or None, default=None
        Decides the starts of networks, the split, the folds and the sample. With an int, the same
        table gives the same page, but for its date and the seconds that methods took.

    verbose : int, default=0
        Whether to show what is being done.

    Returns
    -------
    report : Report
        ``report.to_html("table.html")`` writes the page; ``report.findings`` are its numbers.

    Raises
    ------
    TypeError
        If the table is sparse.
    ValueError
        If it is too small, has a column that can't be read, or if no column varies.

    See Also
    --------
    compare : Methods alone.
    TableAutoencoderTransformer : The autoencoder behind the codes.
    AutoencoderOutlierDetector : What unusual rows are found by.

    Examples
    --------
    >>> import pandas
    >>> from skae import AutoencoderTransformer, report
    >>> table = pandas.DataFrame(
    ...     {
    ...         "height": [150.0 + i for i in range(29)] + [None],
    ...         "size": [*"SML"] * 10,
    ...     }
    ... )
    >>> quick = AutoencoderTransformer(max_iter=20)
    >>> page = report(table, methods=[], autoencoder=quick, random_state=0).to_html()
    >>> page.startswith("<!DOCTYPE html>")
    True
    """
    target = None
    if isinstance(y, str):
        table, column = _split_off_column(table, y)
        target = y, np.asarray(column)
    elif y is not None:
        target = NO_NAME, column_or_1d(y)
    return report_on(
        table,
        target,
        labels=labels,
        title=title,
        methods=methods,
        autoencoder=autoencoder,
        max_rows=max_rows,
        random_state=random_state,
        verbose=verbose,
    )


def report_on(
    table,
    target,
    *,
    title,
    labels=None,
    methods=None,
    autoencoder=None,
    max_rows=2000,
    random_state=None,
    verbose=0,
    account=None,
) -> Report:
    """Return a report as `report` does, of a target with its name.

    Parameters
    ----------
    target : tuple of a str and an ndarray of shape (n_rows,), or None
    account : str or None
        What was made of the file that the table comes from.
    """
    table = as_table(table)
    if max_rows < LEAST_ROWS:
        raise ValueError(f"max_rows={max_rows}, but pictures need {LEAST_ROWS} rows or more.")
    if target is not None:
        check_consistent_length(table, target[1])
    if labels is not None:
        check_consistent_length(table, labels)
    settings = {
        "title": title,
        "methods": _listed(methods),
        "max_rows": int(max_rows),
        "seed": _seed(random_state),
        "account": account,
    }
    with tqdm(total=len(STEPS), disable=not verbose, file=sys.stderr, leave=False) as bar:

        def begin(step: str) -> None:
            bar.update(0 if step == STEPS[0] else 1)
            bar.set_description(step)

        findings, transformer = gather(
            table, target, labels_of(table, labels), settings, autoencoder, begin
        )
        bar.update(1)
    return Report(findings, transformer, datetime.now())
