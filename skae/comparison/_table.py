"""The table of a comparison, for terminals and notebooks."""

import html
import textwrap
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

NOT_AVAILABLE = "n/a"
WIDTH = 100  # columns of a terminal that the lines under the table fill

# tabulate's "simple", which would pad a header by two columns, so titles are rows here.
_FORMAT = TableFormat(
    lineabove=None,
    linebelowheader=Line("", "-", "  ", ""),
    linebetweenrows=None,
    linebelow=None,
    headerrow=None,
    datarow=DataRow("", "  ", ""),
    padding=0,
    with_header_hide=None,
)


def _score_text(value):
    return f"{value:.3f}"


def _seconds_text(value):
    """Two significant digits, or all before the point: 0.0012, 0.35, 1.0, 123."""
    if value < 0.001:
        return "<0.001"
    if value < 1:
        return f"{value:.2g}"
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


# What columns of a table can be, of one and of several.
KINDS = {"number": "numbers", "category": "categories", "date": "dates"}


class Column(NamedTuple):
    """How a number is shown, and which one is best."""

    title: str
    best: Callable  # max or min
    text: Callable


COLUMNS = {
    "reconstruction_r2": Column("held-out\nR²", max, _score_text),
    "numbers_r2": Column("R² of\nnumbers", max, _score_text),
    "categories_r2": Column("R² of\ncategories", max, _score_text),
    "dates_r2": Column("R² of\ndates", max, _score_text),
    "trustworthiness": Column("trustwor-\nthiness", max, _score_text),
    "continuity": Column("conti-\nnuity", max, _score_text),
    "knn_accuracy": Column("kNN\naccuracy", max, _score_text),
    "linear_accuracy": Column("linear\naccuracy", max, _score_text),
    "knn_r2": Column("kNN R²\nof target", max, _score_text),
    "linear_r2": Column("linear R²\nof target", max, _score_text),
    "stability": Column("sta-\nbility", max, _score_text),
    "fit_seconds": Column("fit\n[s]", min, _seconds_text),
    "transform_seconds": Column("transform\n[s]", min, _seconds_text),
    "inverse_seconds": Column("invert\n[s]", min, _seconds_text),
}


def spread(column):
    """Return the name of the standard deviation of a number over repeats."""
    return f"{column}_std"


def spread_text(row, column):
    """Return the standard deviation of a score as it is shown behind its mean, if there is one."""
    value = row.get(spread(column))
    if value is None or column.endswith("seconds"):
        return ""
    return f"±{value:.3f}".replace("±0.", "±.")


def as_text(comparison):
    """Return the table as lines of text: the best of each column starred, notes underneath."""
    titles = ["\nmethod", *(COLUMNS[column].title for column in comparison.columns)]
    cells = _cells(comparison, mark=lambda text: f"{text}*", pad=" ")
    table = tabulate(
        [*zip(*(title.split("\n") for title in titles), strict=True), SEPARATING_LINE, *cells],
        colalign=["left", *("right" for _ in comparison.columns)],
        disable_numparse=True,
        tablefmt=_FORMAT,
    )
    notes = [
        textwrap.fill(note, WIDTH, initial_indent=f"[{i}] ", subsequent_indent="    ")
        for i, note in enumerate(footnotes(comparison), start=1)
    ]
    legend = "* best of the ranked methods as far as shown; n/a: the number does not exist"
    lines = [*textwrap.wrap(describe(comparison), WIDTH), "", table, "", legend, *notes]
    return "\n".join(lines)


def as_html(comparison):
    """Return the table as HTML, the best of each column in bold."""
    table = tabulate(
        _cells(comparison, mark=lambda text: f"<b>{text}</b>", escape=html.escape),
        headers=["method", *(COLUMNS[c].title.replace("-\n", "") for c in comparison.columns)],
        colalign=["left", *("right" for _ in comparison.columns)],
        disable_numparse=True,
        tablefmt="unsafehtml",
    )
    notes = "<br/>".join(
        f"[{i}] {html.escape(note)}" for i, note in enumerate(footnotes(comparison), start=1)
    )
    description = html.escape(describe(comparison))
    return f"<div><p>{description}</p>{table}<p><small>{notes}</small></p></div>"


def describe(comparison):
    """Return sentences on the rows that the numbers are from."""
    s = comparison.settings
    measured = f"{s['n_test']}"
    if s["n_test"] < s["n_held_out"]:
        measured = f"{s['n_test']} of {s['n_held_out']}"
    sentences = (
        f"{_rows_and_columns(comparison)}, {s['n_components']} components: {s['n_train']} rows to "
        f"fit, {measured} held-out rows to measure; seed {s['seed']}."
    )
    if "repeats" in s:
        sentences += (
            f" Means of {s['repeats']} splits and seeds ± their standard deviations; stability is "
            "how far another seed finds the same codes again, up to an affine map."
        )
    if "kinds" in s:
        sentences += " R² counts all columns alike"
        if "category" in s["kinds"].values():
            sentences += ", categories by the squared errors of the probabilities of their levels"
        sentences += "."
        if s["n_unknown"]:
            sentences += (
                f" {counted(s['n_unknown'], 'held-out value')} of categories that no row to fit "
                f"has {'counts' if s['n_unknown'] == 1 else 'count'} as missing."
            )
    elif s["n_missing"]:
        sentences += (
            " R² counts the values that are known; neighbors are those of rows with the means of "
            "the training rows for the others."
        )
    return sentences


def _rows_and_columns(comparison):
    """Return what the rows are, as text."""
    s = comparison.settings
    if "kinds" in s:
        kinds = Counter(s["kinds"].values())
        texts = [counted(kinds[kind], kind, many) for kind, many in KINDS.items() if kinds[kind]]
        missing = f"; {counted(s['n_missing'], 'value')} missing" if s["n_missing"] else ""
        columns = counted(s["n_features"], "column")
        return f"{s['n_samples']} rows of {columns} ({', '.join(texts)}{missing})"
    sparse = "sparse " if s["sparse"] else ""
    scaled = ("scaled " if s["sparse"] else "standardized ") if s["standardize"] else ""
    missing = f", {share_missing(comparison)} of the values missing" if s["n_missing"] else ""
    return f"{s['n_samples']} {sparse}rows of {s['n_features']} {scaled}features{missing}"


def counted(number, one, many=None):
    """Return a number of things, as text."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def share_missing(comparison):
    """Return the share of the values that are missing, as text."""
    s = comparison.settings
    share = s["n_missing"] / (s["n_samples"] * s["n_features"])
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"


def footnotes(comparison):
    """Return the notes of all methods in order, each once."""
    return list(dict.fromkeys(note for row in comparison.rows for note in row["notes"]))


def best_value(comparison, column):
    """Return the best value that a ranked method has in a column, None if no two compete."""
    values = [row[column] for row in comparison.rows if row["method"] not in comparison.unranked]
    values = [value for value in values if value is not None]
    return COLUMNS[column].best(values) if len(values) > 1 else None


def _cells(comparison, *, mark, pad="", escape=str):
    """Return the rows of the table as text; a marked cell may be wider than others by `pad`."""
    notes = footnotes(comparison)
    best = {c: _text(best_value(comparison, c), c) for c in comparison.columns}
    lines = []
    for row in comparison.rows:
        references = ",".join(str(notes.index(note) + 1) for note in row["notes"])
        ranked = row["method"] not in comparison.unranked
        line = [escape(row["method"]) + (f" [{references}]" if references else "")]
        for column in comparison.columns:
            text = _text(row[column], column)
            is_best = ranked and text == best[column] != NOT_AVAILABLE
            text = escape(text)
            line.append((mark(text) if is_best else text + pad) + spread_text(row, column))
        lines.append(line)
    return lines


def _text(value, column):
    """Return a number of a column as it is shown."""
    return NOT_AVAILABLE if value is None else COLUMNS[column].text(value)
