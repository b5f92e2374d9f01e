"""The page: findings as one document of HTML, with its style, its script and its data inside.

Whatever comes from the table is escaped where it is written. The script may run by its digest only,
and the page may load nothing at all: its own policy says so.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from skae._drawing import on_principal_axes
from skae.reporting import _svg
from skae.reporting._colors import Coloring, Scale, Swatch, coloring_of, level_colors
from skae.reporting._findings import NO_NAME, Column, Findings
from skae.reporting._new_rows import METHOD
from skae.reporting._words import (
    counted,
    date_texts,
    level_text,
    number_text,
    percent,
    shortened,
    texts_of,
)

MOST_COLUMNS = 50  # in the tables, the menu and the tooltips
_MOST_EFFECTS = 8  # of a code, that are open
_WHOLE = 18  # characters of a name that is not broken into lines
_MOST_LEVELS = 4  # of a category, that are named
_HOLE = Swatch("hole", "missing")


def page(findings: Findings, when: datetime) -> str:
    """Return the page of what was found."""
    shown = _shown(findings)
    first = _first_color(shown)
    colorings = [coloring_of(_of_drawn(column, findings)) for column in shown]
    sections = {
        "columns": ("The columns", _columns(findings, shown)),
        "picture": ("All rows in two numbers", _picture(findings, shown, colorings, first)),
        "codes": ("What each code means", _codes(findings)),
        "methods": ("Methods side by side", _methods(findings, shown, colorings, first)),
        "unusual": ("The most unusual rows", _unusual(findings)),
        "holes": ("Missing values", _holes(findings)),
    }
    style, script = _read("page.css"), _read("page.js")
    title = escape(shortened(findings.settings["title"], 100))
    return Template(_read("page.html")).substitute(
        title=title,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {_digest(script)}",
        style=style,
        links="".join(f'<a href="#{key}">{name}</a> ' for key, (name, _) in sections.items()),
        summary=_summary(findings),
        privacy=_privacy(findings),
        sections="".join(
            f'<section id="{key}" aria-labelledby="h-{key}"><h2 id="h-{key}">{name}</h2>{text}'
            "</section>\n"
            for key, (name, text) in sections.items()
        ),
        footer=_footer(findings, when),
        data=_data(findings, shown, colorings),
        script=script,
    )


def _read(name: str) -> str:
    return files("skae.reporting").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _shown(findings: Findings) -> list[Column]:
    """Return the columns that the page has room for: the target, and those best rebuilt."""
    columns = findings.columns
    if len(columns) > MOST_COLUMNS:
        worth = [-np.nan_to_num(column.share_rebuilt or 0.0, nan=-9.0) for column in columns]
        best = np.sort(np.argsort(worth, kind="stable")[:MOST_COLUMNS])
        columns = [columns[i] for i in best]
    return columns if findings.target is None else [findings.target, *columns]


def _first_color(shown: list[Column]) -> int:
    """Return the column that pictures are colored by at first: the target, or one well rebuilt."""

    def worth(column: Column) -> tuple[bool, bool, float]:
        few = column.values.kind != "category" or len(np.unique(column.values.numbers)) <= 10
        return column.share_rebuilt is None, few, float(np.nan_to_num(column.share_rebuilt or 0.0))

    return max(range(len(shown)), key=lambda i: worth(shown[i]))


def _of_drawn(column: Column, findings: Findings):
    return column.values._replace(numbers=column.values.numbers[findings.drawn])


# The parts of the page, from top to bottom


def _summary(findings: Findings) -> str:
    kinds = [column.values.kind for column in findings.columns]
    many = {"number": "numbers", "category": "categories", "date": "dates"}
    what = ", ".join(
        counted(kinds.count(kind), kind, plural) for kind, plural in many.items() if kind in kinds
    )
    n_values = findings.n_rows * len(kinds)
    holes = f" {percent(findings.holes.n_holes / n_values)} of the values are missing."
    target = ""
    if findings.target is not None:
        name = escape(shortened(findings.target.name))
        called = "" if findings.target.name == NO_NAME else f", <b>{name}</b>,"
        target = f" The target{called} is not among them: no code has seen it."
    return (
        f"<p>{findings.n_rows} rows of {counted(len(kinds), 'column')} ({what})."
        f"{holes if findings.holes.n_holes else ' No value is missing.'}{target} Two numbers for "
        "each row, its <i>codes</i>, found by an autoencoder, rebuild "
        f"<b>{percent(findings.score)}</b> of the table{_of_new_rows(findings)}.</p>"
    )


def _of_new_rows(findings: Findings) -> str:
    """Return how much is rebuilt of rows not seen, as the comparison measures it."""
    comparison = None if findings.methods is None else findings.methods.comparison
    for row in [] if comparison is None else comparison.rows:
        if row["method"] == METHOD and row["reconstruction_r2"] is not None:
            return f", and <b>{percent(row['reconstruction_r2'])}</b> of rows that it has not seen"
    return ""


def _privacy(findings: Findings) -> str:
    n_drawn = len(findings.drawn)
    rows = f"all {n_drawn}" if n_drawn == findings.n_rows else f"{n_drawn} of {findings.n_rows}"
    return (
        f"<b>This file holds data.</b> Values of {rows} rows are in it, for its pictures and "
        "tooltips, beside those in its tables. Send it only to people who may see them. It loads "
        "nothing from the network and sends nothing."
    )


def _columns(findings: Findings, shown: list[Column]) -> str:
    with_new = any(column.share_of_new is not None for column in findings.columns)
    head = '<th scope="col">New rows</th>' if with_new else ""
    new = (
        "; <b>new rows</b> are those that the autoencoder of the comparison below was not fitted to"
        if with_new
        else ""
    )
    rows = "".join(_column(column, with_new) for column in shown)
    left = len(findings.columns) - len(shown) + (findings.target is not None)
    more = (
        f"<p>{left} columns that the codes rebuild less well are not shown here, nor in the menu "
        "and the tooltips below.</p>"
        if left
        else ""
    )
    return (
        "<p><b>Rebuilt</b> is the share of a column that two codes give back: 100% is the column "
        "itself, 0% is as good as its mean or the frequencies of its levels, and less is worse. It "
        f"is measured on the rows that the codes were fitted to{new}.</p>"
        '<table class="cards"><thead><tr><th scope="col">Column</th><th scope="col">Kind</th>'
        '<th scope="col">Distribution</th><th scope="col">Values</th>'
        f'<th scope="col">Missing</th><th scope="col">Rebuilt</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}{_notes(findings.notes)}"
    )


def _column(column: Column, with_new: bool) -> str:
    name = escape(shortened(column.name))
    values = column.values
    known = values.numbers[~np.isnan(values.numbers)]
    label = f"Distribution of {shortened(column.name)}: "
    if not len(known):
        picture, text = "", "no value is known"
    elif values.levels is not None:
        counts = np.bincount(known.astype(int), minlength=len(values.levels))
        order = np.argsort(-counts, kind="stable")
        order = order[counts[order] > 0]
        named = [
            f"{level_text(values.levels[i])} {percent(counts[i] / len(known))}"
            for i in order[:_MOST_LEVELS]
        ]
        left = len(order) - len(named)
        text = ", ".join(named) + (f", {left} more" if left else "")
        picture = _svg.bars(counts[order[: _svg.MOST_BARS]], label=label + text)
    else:
        text = _summary_of_numbers(column, known)
        picture = _svg.histogram(known, label=label + text)
    missing = percent(column.n_missing / len(values.numbers)) if column.n_missing else "none"
    if column.n_missing:
        missing = f"{column.n_missing} ({missing})"
    length = "whole" if len(shortened(column.name)) <= _WHOLE else "long"
    new = ""
    if with_new:
        shown = "" if column.share_rebuilt is None else _rebuilt(column.share_of_new)
        new = f'<td data-label="New rows">{shown}</td>'
    return (
        f'<tr><th scope="row" class="{length}">{name}</th><td data-label="Kind">{values.kind}</td>'
        f'<td data-label="Distribution">{picture}</td><td data-label="Values">{escape(text)}</td>'
        f'<td data-label="Missing">{missing}</td>'
        f'<td data-label="Rebuilt">{_rebuilt(column.share_rebuilt)}</td>{new}</tr>'
    )


def _summary_of_numbers(column: Column, known: np.ndarray) -> str:
    if column.values.kind == "date":
        first, middle, last = date_texts(np.array([known.min(), np.median(known), known.max()]))
        return f"{first} to {last}, half of them by {middle}"
    low, high, mean, deviation = map(
        number_text, (known.min(), known.max(), known.mean(), known.std())
    )
    return f"mean {mean}, sd {deviation}; {low} to {high}"


def _rebuilt(share: float | None) -> str:
    if share is None:
        return "the target"
    if np.isnan(share):
        return "always the same"
    return f"{_svg.share_bar(share, label='')} {percent(share)}".replace(
        'role="img" aria-label=""', 'aria-hidden="true"'
    )


def _methods(findings: Findings, shown: list[Column], colorings: list[Coloring], first: int) -> str:
    methods = findings.methods
    if methods is None:
        return "<p>No methods were asked for.</p>"
    comparison = methods.comparison
    if comparison is None:
        return _notes(methods.notes)
    tested = methods.rows[comparison.test_indices]
    order = np.argsort(tested)
    places = order[np.searchsorted(tested[order], findings.drawn[findings.compared])]
    classes = _classes(colorings[first])
    classes = [classes[i] for i in findings.compared]
    panels = "".join(
        _panel(name, codes[places], classes) for name, codes in comparison.embeddings.items()
    )
    number = f"{len(places)} of the " if len(places) < len(tested) else ""
    return (
        "<p>Each method is fitted to the same rows and measured on the same others, which it has "
        "not seen. So these numbers, unlike those above, say what it would do with new rows.</p>"
        f'<div class="wide" role="region" tabindex="0" aria-label="Table of methods">'
        f"{comparison._repr_html_()}</div>{_notes(methods.notes)}"
        f"<h3>The rows held out, as each method sees them</h3>{_menu_place('methods')}"
        f'<div class="panels">{panels}</div>'
        f"{_legends(shown, colorings, first)}"
        f'<p class="note">{number}{len(tested)} rows held out, the same in each picture.</p>'
    )


def _panel(name: str, codes: np.ndarray, classes: list[str]) -> str:
    points = codes if codes.shape[1] == 2 else on_principal_axes(codes, 2)
    frame = _svg.Frame(points, 220, 180, (8, 8, 8, 8))
    radius = _svg.radius_of(len(points), 220 * 180)
    content = _svg.circles(frame.place(points), classes, radius)
    name = shortened(name)
    label = f"{counted(len(points), 'row')} as {name} embeds them"
    picture = _svg.svg(220, 180, content, label=label, kind="plane", more=' data-rows="compared"')
    caption = f"<figcaption>{escape(name)}</figcaption>"
    return f'<figure class="panel">{caption}{picture}</figure>'


def _menu_place(which: str) -> str:
    """Return where the script puts a menu of its own, which follows the one of the picture."""
    return f'<p class="menu" data-menu="{which}" hidden></p>'


def _picture(findings, shown: list[Column], colorings: list[Coloring], first: int) -> str:
    points = findings.codes[findings.drawn]
    frame = _svg.Frame(points, 720, 500, (58, 14, 14, 46))
    radius = _svg.radius_of(len(points), 720 * 500)
    places = frame.place(points)
    unusual = np.flatnonzero(np.isin(findings.drawn, [row.row for row in findings.unusual.rows]))
    content = (
        _svg.axes_of(frame, ("code 1", "code 2"))
        + _svg.circles(places, _classes(colorings[first]), radius)
        + _svg.rings(places[unusual], radius + 3)
    )
    label = f"{counted(len(points), 'row')} by their two codes"
    picture = _svg.svg(720, 500, content, label=label, kind="plane", more=' data-rows="all"')
    options = "".join(
        f'<option value="{i}"{" selected" if i == first else ""}>'
        f"{escape(shortened(column.name))}{_mark_of_target(column)}"
        "</option>"
        for i, column in enumerate(shown)
    )
    number = f"{len(points)} of {findings.n_rows} rows, drawn at random and with the unusual ones"
    numbered = findings.labels == [str(i) for i in range(findings.n_rows)]
    return (
        "<p>Rows that have much in common lie close together. Rings are around the "
        '<a href="#unusual">most unusual rows</a>.</p>'
        '<noscript><p class="note">Without JavaScript this is a still picture: the menu of colors '
        "and the tooltips need it.</p></noscript>"
        f'<p class="menu" hidden><label for="color">Color by</label> <select id="color">{options}'
        "</select></p>"
        f'<figure class="large"><div class="plot" tabindex="0" role="group" '
        'aria-label="Picture of the rows. The arrow keys go from row to row, Escape closes the '
        f'tooltip.">{picture}</div>'
        f"<figcaption>{_legends(shown, colorings, first)}</figcaption></figure>"
        f'<p class="note" data-needs-script hidden>Point at a row, tap it, or go from row to row '
        "with the arrow keys, to see its values.</p>"
        + ('<p class="note">Rows are numbered from 0.</p>' if numbered else "")
        + (f'<p class="note">{number}.</p>' if len(points) < findings.n_rows else "")
    )


def _mark_of_target(column: Column) -> str:
    return " (target)" if column.share_rebuilt is None and column.name != NO_NAME else ""


def _classes(coloring: Coloring) -> list[str]:
    return [f"{coloring.scale}{i}" if i >= 0 else "hole" for i in coloring.places.tolist()]


def _legends(shown: list[Column], colorings: list[Coloring], first: int) -> str:
    """Return the legends of all columns; the first is shown, until the script shows another."""
    legends = "".join(
        f'<div class="legend" data-column="{i}"{"" if i == first else " hidden"}>'
        f"{_legend(coloring)}</div>"
        for i, coloring in enumerate(colorings)
    )
    return f"Colored by <b data-colored>{escape(shortened(shown[first].name))}</b>{legends}"


def _legend(coloring: Coloring) -> str:
    legend = coloring.legend
    holes = [_HOLE] if coloring.n_holes else []
    if isinstance(legend, Scale):
        remark = f'<span class="remark">{legend.remark}</span>' if legend.remark else ""
        return _svg.color_bar(legend.marks) + remark + _swatches(holes)
    return _swatches([*legend, *holes])


def _swatches(legend: Iterable[Swatch]) -> str:
    items = "".join(f"<li>{_svg.swatch(one.color)}{escape(one.text)}</li>" for one in legend)
    return f'<ul class="swatches">{items}</ul>' if items else ""


def _codes(findings: Findings) -> str:
    parts = [
        "<p>How the columns of a rebuilt row change where one code grows and the other stays as it "
        "is, on average over rows: numbers as lines, the levels of categories as shares that add "
        "up to one. From left to right a code goes from its 5th to its 95th percentile. First the "
        "columns that change most: <b>changes</b> is the variance along the code, as a share of "
        "the column's.</p>"
    ]
    columns = {column.name: column for column in findings.columns}
    for code in sorted({effect.code for effect in findings.effects}):
        effects = [
            effect
            for effect in findings.effects  # of a column without values nothing is decoded
            if effect.code == code and columns[effect.column].n_missing < findings.n_rows
        ]
        effects.sort(key=lambda effect: -np.nan_to_num(effect.share))
        drawn = [_effect(one, columns[one.column]) for one in effects[:MOST_COLUMNS]]
        parts.append(
            f'<h3>Code {code + 1}</h3><div class="effects">{"".join(drawn[:_MOST_EFFECTS])}</div>'
        )
        if drawn[_MOST_EFFECTS:]:
            left = counted(len(drawn) - _MOST_EFFECTS, "column")
            parts.append(
                f"<details><summary>{left} that code {code + 1} changes less</summary>"
                f'<div class="effects">{"".join(drawn[_MOST_EFFECTS:])}</div></details>'
            )
    return "".join(parts)


def _effect(effect: Any, column: Column) -> str:
    name = shortened(column.name)
    ends = number_text(effect.grid[0]), number_text(effect.grid[-1])
    label = f"{name} along code {effect.code + 1}: "
    legend = ""
    if effect.levels is not None:
        colors = level_colors(column.values)
        places = {level: i for i, level in enumerate(column.values.levels or [])}
        of_levels = colors.numbers[[places[level] for level in effect.levels.tolist()]]
        shares = np.zeros((len(effect.grid), len(colors.legend)))
        np.add.at(shares.T, of_levels, effect.decoded.T)
        most = [colors.legend[i].text for i in (shares[0].argmax(), shares[-1].argmax())]
        label += f"most often {most[0]} at the left end, {most[1]} at the right"
        picture = _svg.stack(
            effect.grid, shares, [one.color for one in colors.legend], label=label, ends=ends
        )
        legend = _swatches(colors.legend)
    else:
        numbers = effect.decoded
        if effect.kind == "date":
            numbers = numbers.astype("datetime64[us]").astype(float) / 1e6
            low, high = date_texts(np.array([numbers.min(), numbers.max()]))
            left, right = date_texts(numbers[[0, -1]])
        else:
            low, high, left, right = map(
                number_text, (numbers.min(), numbers.max(), numbers[0], numbers[-1])
            )
        label += f"{left} at the left end, {right} at the right"
        picture = _svg.line(effect.grid, numbers, label=label, texts=(*ends, low, high))
    return (
        f'<figure class="effect"><figcaption><b>{escape(name)}</b> changes '
        f"{percent(float(np.nan_to_num(effect.share)))}</figcaption>{picture}{legend}</figure>"
    )


def _unusual(findings: Findings) -> str:
    unusual = findings.unusual
    rows = "".join(
        f'<tr><th scope="row"><a href="#picture" data-row="{row.row}">{escape(row.label)}</a></th>'
        f'<td data-label="Score">{number_text(round(row.score, 1))}</td>'
        f'<td data-label="Because of"><ul class="parts">{"".join(map(_part, row.parts))}</ul></td>'
        "</tr>"
        for row in unusual.rows
    )
    empty = (
        f"<p>{counted(unusual.n_empty, 'row')} without any value can't be judged.</p>"
        if unusual.n_empty
        else ""
    )
    return (
        "<p>Each row is judged by autoencoders that were trained without it. The <b>score</b> says "
        "how improbable it is: by its errors, by how far its codes lie from others, and by how far "
        "its values are from the middle of their columns; the middle row has "
        f"{number_text(round(unusual.median, 1))}. Beside it are the columns with the largest "
        "parts in that: the value, and what was expected, of a category the probabilities of "
        "levels. Unusual need not mean wrong.</p>"
        '<table class="cards"><thead><tr><th scope="col">Row</th><th scope="col">Score</th>'
        f'<th scope="col">Because of</th></tr></thead><tbody>{rows}</tbody></table>'
        f"{empty}{_notes(unusual.notes)}"
    )


def _part(part) -> str:
    return (
        f"<li><b>{escape(part.column)}</b> is {escape(part.value)}; expected "
        f'{escape(part.expected)} <span class="remark">({percent(part.share)} of it)</span>'
        "</li>"
    )


def _holes(findings: Findings) -> str:
    holes = findings.holes
    if not holes.n_holes:
        return "<p>No value is missing.</p>"
    counts = "".join(
        f'<tr><th scope="row">{escape(shortened(column.name))}</th>'
        f'<td data-label="Missing">{count} ({percent(count / findings.n_rows)})</td>'
        f'<td data-label="Rebuilt">{_rebuilt(column.share_rebuilt)}</td></tr>'
        for column, count in holes.counts[:MOST_COLUMNS]
    )
    examples = "".join(
        f'<tr><th scope="row">{escape(one.label)}</th>'
        f'<td data-label="Column">{escape(shortened(one.column))}</td>'
        f'<td data-label="Filled with">{escape(one.text)}</td></tr>'
        for one in holes.examples
    )
    some = f"{len(holes.examples)} of {holes.n_holes}, from the columns in turn"
    if len(holes.examples) == holes.n_holes:
        some = "All of them"
    return (
        f"<p>{counted(holes.n_holes, 'value')} of {counted(len(holes.counts), 'column')} are "
        "missing. What a row's codes rebuild can take their place "
        "(<code>TableAutoencoderTransformer.impute</code>); it is the likelier to be right the "
        "better a column is rebuilt where it is known.</p>"
        '<table class="cards"><thead><tr><th scope="col">Column</th>'
        '<th scope="col">Missing</th><th scope="col">Rebuilt where known</th></tr></thead>'
        f"<tbody>{counts}</tbody></table>"
        f"<details><summary>What they were filled with</summary><p>{some}.</p>"
        '<table class="cards"><thead><tr><th scope="col">Row</th>'
        '<th scope="col">Column</th><th scope="col">Filled with</th></tr></thead>'
        f"<tbody>{examples}</tbody></table></details>"
    )


def _notes(notes: list[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _footer(findings: Findings, when: datetime) -> str:
    settings = findings.settings
    lines = (settings["account"] or "").replace("\n    ", " ").split("\n")
    lines = [escape(line.strip()) for line in lines]
    account = f"<p>{'<br>'.join(lines)}</p>" if settings["account"] else ""
    methods = settings["methods"]
    names = "by default" if methods is None else ", ".join(map(str, methods)) or "none"
    return (
        f"<p>Made by skae {escape(version('skae'))} on {when:%Y-%m-%d at %H:%M}. "
        f"Seed {settings['seed']}, methods {escape(names)}, at most {settings['max_rows']} rows "
        "drawn. The same table and seed give the same page, but for its date and the seconds that "
        "methods took.</p>"
        "<p>Rebuilt and R² are shares: of a number, one less its squared error divided by its "
        "variance; of a category the same of the probabilities of its levels. The codes are those "
        "of a TableAutoencoderTransformer with two components, the scores of rows those of an "
        "AutoencoderOutlierDetector on the matrix of a TableEncoder.</p>"
        f"{account}"
    )


def _data(findings: Findings, shown: list[Column], colorings: list[Coloring]) -> str:
    """Return what the script needs, as JSON that can stand in a page."""
    columns = []
    for column, coloring in zip(shown, colorings, strict=True):
        texts = texts_of(_of_drawn(column, findings))
        columns.append(
            {
                "name": shortened(column.name),
                "scale": coloring.scale,
                "colors": coloring.places.tolist(),
                "texts": texts.texts,
                "values": texts.places.tolist(),
            }
        )
    data = {
        "labels": [findings.labels[i] for i in findings.drawn],
        "rows": findings.drawn.tolist(),
        "compared": findings.compared.tolist(),
        "columns": columns,
    }
    text = json.dumps(data, separators=(",", ":"))
    for sign in "<>&":  # no end of a script, no comment
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
