"""Rows of tables in ReconstructionDisplay: texts, in the colors of the errors of their columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.patches import Rectangle
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae.plotting import InterpolationDisplay, ManifoldDisplay, ReconstructionDisplay

QUICK = AutoencoderTransformer(hidden_layer_sizes=(4,), max_iter=3, early_stopping=False)


def table(n_rows=40):
    random = np.random.RandomState(0)
    X = pd.DataFrame(
        {
            "a name of a column that is much too long": random.normal(size=n_rows) * 1e5,
            "count": random.poisson(3, n_rows),
            "word": random.choice(["$x$", "a word that is long"], n_rows),
            "flag": random.uniform(size=n_rows) < 0.5,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n_rows), "D"),
        }
    )
    X.loc[::4, "word"] = None
    return X


@pytest.fixture(scope="module")
def fitted():
    return TableAutoencoderTransformer(2, autoencoder=QUICK, random_state=0).fit(table())


def texts_in(panel):
    return [text.get_text() for text in panel.texts]


def test_rows_are_texts_beside_what_they_were_rebuilt_as(fitted, draw):
    X = table()
    display = ReconstructionDisplay.from_estimator(fitted, X, select=[0, 1])
    draw(display.figure_)
    back = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_allclose(display.errors, fitted.reconstruction_error(X)[:2])
    known = fitted.reconstruction_error(X, per_feature=True)[:2]
    np.testing.assert_allclose(np.nan_to_num(display.column_errors), known)
    assert display.originals[0, 2] is None
    assert display.reconstructions[1, 2] == back["word"][1]
    texts = texts_in(display.axes_[0])
    assert f"row 0: error {display.errors[0]:.3g}" in texts
    assert "a name of a column that…" in texts
    assert {"–", "2020-01-01", f"{X['count'][0]}", f"{X['flag'][1]}"} <= set(texts)
    assert "a word that is …" in texts
    assert r"\$x\$" in texts
    assert texts[-1].startswith("– is missing")


def test_a_known_value_has_the_color_of_its_error_and_a_hole_has_none(fitted):
    display = ReconstructionDisplay.from_estimator(fitted, table(), select=[4])
    (panel,) = display.axes_
    cells = {round(cell.get_y() + 0.5): cell for cell in panel.patches}
    assert all(isinstance(cell, Rectangle) for cell in cells.values())
    assert sorted(cells) == [0, 1, 3, 4]  # not the word, which is missing
    errors = display.column_errors[0]
    order = sorted(cells, key=lambda line: min(errors[line], 2))
    blue = [cells[line].get_facecolor()[2] for line in order]
    assert blue == sorted(blue, reverse=True)


def test_rows_that_do_not_fit_beside_one_another_go_below(fitted, draw, check_redrawing):
    display = ReconstructionDisplay.from_estimator(fitted, table(), n_shown=7)
    draw(display.figure_)
    assert len(display.axes_) == 3
    titles = [sum(text.startswith("row ") for text in texts_in(axes)) for axes in display.axes_]
    assert titles == [3, 3, 1]
    assert display.figure_.get_size_inches()[0] <= 12
    check_redrawing(ReconstructionDisplay.from_estimator(fitted, table(), n_shown=1))


def test_text_is_smaller_in_axes_that_are_given(fitted, subplots):
    figure, axes = subplots(2, 2, figsize=(6, 4))
    display = ReconstructionDisplay.from_estimator(fitted, table(), n_shown=1, ax=axes[0, 0])
    assert display.figure_ is figure
    assert max(text.get_fontsize() for text in display.axes_[0].texts) < 8


@pytest.mark.parametrize("library", ["polars", "pipeline", "pca"])
def test_tables_behind_any_estimator_and_of_any_library_are_drawn(library, draw):
    X = table()
    if library == "polars":
        X = pl.from_pandas(X)
        estimator = TableAutoencoderTransformer(1, autoencoder=QUICK, random_state=0)
    elif library == "pipeline":
        drop = FunctionTransformer(lambda frame: frame.drop(columns="count"))
        estimator = make_pipeline(drop, TableAutoencoderTransformer(1, autoencoder=QUICK))
    else:
        X = X.dropna()
        estimator = make_pipeline(TableEncoder(), PCA(1))
    display = ReconstructionDisplay.from_estimator(estimator.fit(X), X, n_shown=2)
    draw(display.figure_)
    assert len(display.feature_names) == (4 if library == "pipeline" else 5)
    assert display.reconstructions.shape == display.originals.shape


def test_a_table_of_numbers_is_drawn_as_bars():
    X = table()[["count"]].assign(other=range(40))
    fitted = TableAutoencoderTransformer(1, autoencoder=QUICK, random_state=0).fit(X)
    display = ReconstructionDisplay.from_estimator(fitted, X, n_shown=2)
    assert display.column_errors is None
    assert display.originals.dtype == float
    objects = X.astype(object)
    assert ReconstructionDisplay.from_predictions(objects, X).column_errors is None


def test_displays_of_rows_of_numbers_say_which_ones_take_a_table(fitted):
    for display in (InterpolationDisplay, ManifoldDisplay):
        for X in (table()[1:3], pl.from_pandas(table()[1:3])):
            with pytest.raises(TypeError, match=r"columns that are no numbers.*CodeEffectsDisplay"):
                display.from_estimator(fitted, X)


def test_predictions_that_are_tables_are_measured_by_the_columns_of_the_table():
    X = table().dropna().reset_index(drop=True)
    same = ReconstructionDisplay.from_predictions(X, X, n_shown=3)
    np.testing.assert_allclose(same.column_errors, 0, atol=1e-12)
    other = X.assign(word=X["word"][0])
    display = ReconstructionDisplay.from_predictions(X, other, select=[0, 1, 2, 3])
    np.testing.assert_array_equal(display.column_errors[:, 2] > 1e-9, X["word"][:4] != X["word"][0])
    array = X[["word", "flag"]].to_numpy()
    drawn = ReconstructionDisplay.from_predictions(array, array, n_shown=1)
    assert drawn.feature_names == ["x0", "x1"]
    with pytest.raises(ValueError, match="X has 30 rows, but X_reconstructed has 29"):
        ReconstructionDisplay.from_predictions(X, X[1:])
    with pytest.raises(ValueError, match="X_reconstructed has missing values"):
        ReconstructionDisplay.from_predictions(X, X.assign(word=None))
