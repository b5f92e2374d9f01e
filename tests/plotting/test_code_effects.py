"""CodeEffectsDisplay: lines for numbers, areas for categories, the largest effects first."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae._code_effects import CodeEffect, code_effects
from skae.plotting import CodeEffectsDisplay


def table(n_rows=60):
    random = np.random.RandomState(0)
    hidden, other = random.normal(size=(2, n_rows))
    return pd.DataFrame(
        {
            "noise $": random.normal(size=n_rows),
            "height": 170 + 10 * hidden,
            "size": pd.Categorical(
                np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])], [*"SMLX"], ordered=True
            ),
            "born": pd.Timestamp("2000-01-01") - pd.to_timedelta((other * 999).round(), "D"),
            "town": [f"town {i}" for i in np.clip(other * 4 + 5, 0, 9).astype(int)],
        }
    )


@pytest.fixture(scope="module")
def display_of():
    """Return a function that gives a display of principal components of the table, not drawn."""
    famd = make_pipeline(TableEncoder(), PCA(2)).fit(table())
    effects = code_effects(famd, table(), n_steps=7)
    return lambda: CodeEffectsDisplay(effects)


def test_each_column_has_a_panel_for_each_code_the_largest_effects_first(display_of, draw):
    display = display_of().plot(n_shown=4)
    draw(display.figure_)
    assert display.axes_.shape == (4, 2)
    strongest = {
        name: max(one.share for one in display.effects if one.column == name) for name in table()
    }
    expected = sorted(strongest, key=strongest.get, reverse=True)[:4]
    assert display.columns_ == expected
    titles = [panel.get_title(loc="left") for panel in display.axes_[:, 0]]
    assert titles == [name.replace("$", r"\$") for name in expected]
    assert [panel.get_xlabel() for panel in display.axes_[-1]] == ["code 0", "code 1"]
    for line, name in zip(display.axes_, display.columns_, strict=True):
        for code, panel in enumerate(line):
            (one,) = (e for e in display.effects if (e.code, e.column) == (code, name))
            assert panel.get_title(loc="right").split()[0] == f"{one.share:.2f}"
            assert panel.get_xlim() == (one.grid[0], one.grid[-1])


def test_numbers_and_dates_are_lines_in_their_units_on_one_scale(display_of, draw):
    display = display_of().plot(n_shown=5)
    draw(display.figure_)
    for name, text in (("height", "1"), ("born", "20")):
        line = display.axes_[display.columns_.index(name)]
        assert len({panel.get_ylim() for panel in line}) == 1
        for code, panel in enumerate(line):
            (one,) = (e for e in display.effects if (e.code, e.column) == (code, name))
            (curve,) = panel.lines
            np.testing.assert_array_equal(curve.get_xdata(), one.grid)
            np.testing.assert_array_equal(curve.get_ydata(orig=True), one.decoded)
        labels = [label.get_text() for label in line[0].get_yticklabels()]
        assert any(label.startswith(text) for label in labels)


def test_categories_are_areas_in_the_order_of_their_levels(display_of, draw):
    display = display_of().plot(n_shown=5)
    draw(display.figure_)
    line = display.axes_[display.columns_.index("size")]
    assert all(len(panel.collections) == 3 for panel in line)
    legend = line[-1].get_legend()
    # From the top, as the areas are.
    assert [text.get_text() for text in legend.get_texts()] == ["L", "M", "S"]
    (one,) = (e for e in display.effects if (e.code, e.column) == (0, "size"))
    lowest = line[0].collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(lowest[:, 1].max(), one.decoded[:, 0].max())


def test_levels_without_a_color_of_their_own_are_one_area(display_of, draw):
    display = display_of().plot(n_shown=5)
    draw(display.figure_)
    line = display.axes_[display.columns_.index("town")]
    n_levels = table()["town"].nunique()
    texts = [text.get_text() for text in line[-1].get_legend().get_texts()]
    assert texts[0] == f"{n_levels - 5} others"
    assert len(texts) == len(line[0].collections) == 6


def test_codes_can_be_chosen(display_of, subplots):
    display = display_of().plot(codes=[1, 0], n_shown=1)
    assert display.axes_.shape == (1, 2)
    assert [panel.get_xlabel() for panel in display.axes_[-1]] == ["code 1", "code 0"]
    _, ax = subplots()
    assert display_of().plot(ax=ax, n_shown=1).figure_ is ax.figure
    with pytest.raises(ValueError, match=r"codes=\[2\], but these are numbers of the 2 codes"):
        display_of().plot(codes=[2])
    with pytest.raises(ValueError, match="n_shown=0, but at least one column"):
        display_of().plot(n_shown=0)


def test_the_five_largest_codes_of_many_are_drawn():
    X = np.random.RandomState(0).normal(size=(50, 9)) * np.arange(1, 10)
    pca = make_pipeline(StandardScaler(), PCA(7)).fit(X)
    display = CodeEffectsDisplay.from_estimator(pca, X, n_steps=2, n_shown=1)
    assert display.axes_.shape == (1, 5)
    with pytest.raises(ValueError, match="n_steps=1, but a line has two points"):
        CodeEffectsDisplay.from_estimator(pca, X, n_steps=1)


def test_a_table_of_polars_and_names_that_are_long_are_drawn(draw):
    X = pl.DataFrame({"a": [*"xy"] * 20, "a name that is much too long for a panel": range(40)})
    quick = AutoencoderTransformer(hidden_layer_sizes=(4,), max_iter=2, early_stopping=False)
    estimator = TableAutoencoderTransformer(1, autoencoder=quick, random_state=0).fit(X)
    display = CodeEffectsDisplay.from_estimator(estimator, X)
    draw(display.figure_)
    titles = {panel.get_title(loc="left") for panel in display.axes_[:, 0]}
    assert titles == {"a", "a name that is much too…"}


def test_drawing_again_gives_the_same_and_a_constant_is_drawn(display_of, check_redrawing, draw):
    check_redrawing(display_of().plot(n_shown=2, codes=[0]), n_shown=2, codes=[0])
    flat = CodeEffect(0, "same", "number", np.zeros(2), np.ones(2), None, 0.0)
    draw(CodeEffectsDisplay([flat]).plot().figure_)
