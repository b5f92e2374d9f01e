"""OutlierDisplay: what it draws is what the detector explains."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline

from skae import AutoencoderOutlierDetector, AutoencoderTransformer, TableEncoder
from skae.plotting import OutlierDisplay

QUICK = AutoencoderTransformer(
    2, hidden_layer_sizes=8, max_iter=3, early_stopping=False, missing="mask"
)


@pytest.fixture(scope="module")
def wine():
    X = load_wine(as_frame=True).data
    X = (X - X.mean()) / X.std()
    X.loc[7, "ash"] = 12.0
    return X


@pytest.fixture(scope="module")
def detector(wine):
    return AutoencoderOutlierDetector(QUICK, n_folds=2, random_state=0).fit(wine)


def test_the_most_unusual_rows_come_first_with_their_columns(wine, detector):
    display = OutlierDisplay.from_estimator(detector, wine, n_shown=3, n_columns=4)
    order = np.argsort(detector.score_samples(wine))[:3]
    np.testing.assert_array_equal(display.rows, order)
    assert order[0] == 7
    told = detector.explain(wine.iloc[order]).rows(n_columns=4)
    for ax, row, i in zip(display.axes_[0], order, range(3), strict=True):
        assert ax.get_title(loc="left") == f"row {row}\n"
        mine = [record for record in told if record["row"] == i]
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels == [
            name if len(name) <= 24 else f"{name[:23]}…" for name in (one["column"] for one in mine)
        ]
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [
            record["share"] for record in mine
        ])  # fmt: skip
        texts = [text.get_text() for text in ax.texts]
        assert texts[:-1] == [f"{one['value']:.4g} ({one['expected']:.4g})" for one in mine]
        assert texts[-1].startswith("surface ")
    assert display.axes_[0, 0].get_yticklabels()[0].get_text() == "ash"


def test_odds_are_those_of_the_views(wine, detector):
    explanation = detector.explain(wine.iloc[[7]])
    explanation.views = {"surface": np.log([20.0]), "codes": np.array([50.0])}
    (ax,) = OutlierDisplay(explanation).plot().axes_[0]
    assert ax.texts[-1].get_text() == "surface 1 in 20, codes < 1 in 1,000,000"


def test_what_is_missing_says_so_and_rows_have_numbers(wine, detector):
    holes = wine.iloc[[7]].copy()
    holes["alcohol"] = np.nan
    display = OutlierDisplay(detector.explain(holes)).plot(n_columns=13)
    (ax,) = display.axes_[0]
    assert ax.get_title(loc="left") == "row 0\n"
    assert sum(text.get_text().startswith("missing (") for text in ax.texts) == 1


def test_behind_an_encoder_bars_stand_for_columns_of_the_table(wine):
    table = wine[["ash", "alcohol", "hue"]].copy()
    table["kind"] = np.where(table["alcohol"] > 0, "a$b", "c")
    table.loc[7, "kind"] = None
    detector = AutoencoderOutlierDetector(QUICK, n_folds=2, random_state=0)
    finding = make_pipeline(TableEncoder(), detector).fit(table)
    display = OutlierDisplay.from_estimator(finding, table, n_shown=1)
    (ax,) = display.axes_[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(labels) == ["alcohol", "ash", "hue", "kind"]
    texts = dict(zip(labels, (text.get_text() for text in ax.texts), strict=False))
    assert texts["ash"].startswith("12 (")
    assert texts["kind"] in (r"missing (a\$b)", "missing (c)")
    display.figure_.canvas.draw()


@pytest.mark.parametrize("how", [{"n_shown": 0}, {"n_columns": 0}])
def test_nothing_to_draw_is_an_error(wine, detector, how):
    with pytest.raises(ValueError, match="are needed: 1 or more"):
        OutlierDisplay.from_estimator(detector, wine, **how)


def test_another_criterion_has_no_explanation(wine):
    detector = AutoencoderOutlierDetector(QUICK, criterion="squared_error", n_folds=2)
    with pytest.raises(ValueError, match="explain tells of the views"):
        OutlierDisplay.from_estimator(detector.fit(wine), wine)
