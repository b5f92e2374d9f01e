"""Findings that no fit is needed for, and tables that are fitted quickly."""

import numpy as np
import pandas as pd

from skae import AutoencoderTransformer
from skae._code_effects import CodeEffect
from skae._frames import layout_of, read
from skae.comparison import Comparison
from skae.reporting._findings import Column, Filled, Findings, Holes, Methods
from skae.reporting._unusual import Part, Unusual, UnusualRow
from skae.reporting._words import shortened


def quick() -> AutoencoderTransformer:
    """Return an autoencoder that is fitted in no time."""
    return AutoencoderTransformer(
        hidden_layer_sizes=(4,), init="pca", noise=None, max_iter=3, early_stopping=False
    )


def mixed_table(n_rows: int = 60, seed: int = 0, *, named: bool = False) -> pd.DataFrame:
    """Return numbers, words, flags and dates that have one thing in common, with holes."""
    random = np.random.RandomState(seed)
    hidden = random.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "height": 170 + 10 * hidden + random.normal(size=n_rows),
            "size": np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])],
            "tall": hidden > 0,
            "born": np.datetime64("2000-01-01") + (900 * hidden).astype("timedelta64[D]"),
        }
    )
    table.loc[::7, "height"] = np.nan
    table.loc[3::9, "size"] = None
    return table.set_index(pd.Index([f"row {i}" for i in range(n_rows)]) if named else table.index)


def comparison_of(codes: dict, test: np.ndarray, notes: list) -> Comparison:
    """Return a comparison with the codes of test rows by each method."""
    numbers = {"reconstruction_r2": 0.5, "trustworthiness": 0.9, "continuity": 0.9}
    seconds = {"fit_seconds": 1.0, "transform_seconds": 0.1, "inverse_seconds": None}
    n_test = len(test)
    settings = {
        "n_samples": 4 * n_test, "n_features": 4, "n_missing": 0, "sparse": False,
        "n_components": 2, "n_train": 3 * n_test, "n_held_out": n_test, "n_test": n_test,
        "test_size": 0.25, "standardize": False, "max_samples": 2000, "n_neighbors": 5, "seed": 0,
    }  # fmt: skip
    return Comparison(
        rows=[{"method": name, **numbers, **seconds, "notes": notes} for name in codes],
        columns=[*numbers, *seconds],
        estimators={},
        embeddings=codes,
        unranked=[],
        target_type=None,
        train_indices=np.empty(0, int),
        test_indices=test,
        y_test=None,
        settings=settings,
    )


def findings_of(table: pd.DataFrame, *, word: str = "", n_methods: int = 2, max_rows: int = 2000):
    """Return findings on a table that are made up but for its values; `word` is in every text."""
    random = np.random.RandomState(0)
    values = read(table, layout_of(table, None))
    columns = [
        Column(one.name, one, int(np.isnan(one.numbers).sum()), share, share / 2)
        for one, share in zip(values, np.linspace(0.3, 1, len(values)), strict=True)
    ]
    n_rows = len(table)
    codes = random.normal(size=(n_rows, 2))
    labels = [shortened(f"{label}{word}") for label in table.index]
    drawn = np.arange(min(n_rows, max_rows))
    compared = drawn[: 400 : max(1, len(drawn) // 400)]
    embeddings = {f"m{i}{word}": random.normal(size=(len(compared), 2)) for i in range(n_methods)}
    comparison = comparison_of(embeddings, drawn[compared], [f"a note{word}"])
    grid = np.linspace(-1, 1, 5)
    effects = []
    for code in (0, 1):
        for one in values:
            decoded, levels = grid, None
            if one.levels is not None:
                levels = np.array(one.levels, dtype=object)
                decoded = np.full((len(grid), len(levels)), 1 / len(levels))
            elif one.kind == "date":
                decoded = np.datetime64("2000-01-01") + np.arange(5)
            effects.append(CodeEffect(code, one.name, one.kind, grid, decoded, levels, 0.5))
    part = Part(shortened(f"a{word}"), 0.6, shortened(f"1{word}"), shortened(f"2{word}"))
    unusual = Unusual(
        [UnusualRow(1, labels[1], 7.0, [part])], np.ones(n_rows), 0.5, 0, [f"careful{word}"]
    )
    examples = [Filled(0, labels[0], columns[0].name, shortened(f"3{word}"))]
    holes = [column for column in columns if column.n_missing]
    return Findings(
        columns=columns[1:],
        target=columns[0]._replace(share_rebuilt=None),
        labels=labels,
        codes=codes,
        score=0.8,
        methods=Methods(comparison, np.arange(n_rows), [f"a remark{word}"]),
        effects=[effect for effect in effects if effect.column != columns[0].name],
        unusual=unusual,
        holes=Holes(
            [(one, one.n_missing) for one in holes], examples, sum(one.n_missing for one in holes)
        ),
        drawn=drawn,
        compared=compared,
        notes=[f"a warning{word}"],
        settings={
            "title": f"A title{word}",
            "methods": [f"m0{word}"],
            "max_rows": max_rows,
            "seed": 0,
            "account": shortened(f"people.csv{word}"),
        },
    )
