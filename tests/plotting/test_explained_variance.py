"""ExplainedVarianceDisplay: shares of variance by the number of codes."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.plotting import ExplainedVarianceDisplay


@pytest.fixture(scope="module")
def fitted(digits):
    return AutoencoderTransformer(
        "auto", hidden_layer_sizes=8, max_iter=2, init="pca", noise=None, random_state=0
    ).fit(digits[0])


def drawn(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_the_curve_of_a_fit_is_drawn_beside_pcas_with_the_number_that_was_chosen(fitted, draw):
    display = ExplainedVarianceDisplay.from_estimator(fitted)
    draw(display.figure_)
    curve, lines = fitted.components_curve_, drawn(display.ax_)
    chosen = f"chosen: {fitted.n_components_}"
    assert set(lines) == {"PCA", "autoencoder", chosen}
    for name, column in {"autoencoder": "r2", "PCA": "pca_r2"}.items():
        np.testing.assert_array_equal(lines[name].T, [curve["n_components"], curve[column]])
    assert lines[chosen][:, 0].tolist() == [fitted.n_components_] * 2
    (band,) = display.ax_.collections
    top = np.array(curve["r2"]) + 2 * np.array(curve["r2_error"])
    assert band.get_datalim(display.ax_.transData).y1 == pytest.approx(top.max())
    assert display.ax_.get_xlabel() == "number of codes"


def test_pca_and_ordered_codes_have_a_curve_of_their_own(digits):
    pca = PCA(5).fit(digits[0])
    display = ExplainedVarianceDisplay.from_estimator(pca)
    (line,) = drawn(display.ax_).values()
    np.testing.assert_allclose(line[:, 1], np.cumsum(pca.explained_variance_ratio_))
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(3, ordered=True, max_iter=1, random_state=0)
    ).fit(digits[0])
    display = ExplainedVarianceDisplay.from_estimator(pipeline)
    assert list(drawn(display.ax_)) == ["AutoencoderTransformer"]
    assert display.pca_r2 is None


@pytest.mark.parametrize("n_codes", [1, 2, 12])
def test_ticks_are_numbers_of_codes(n_codes):
    numbers = np.arange(1, n_codes + 1)
    ax = ExplainedVarianceDisplay(numbers, numbers / n_codes).plot().ax_
    ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
    assert len(ticks) > 0
    assert set(ticks) <= set(numbers.tolist())


def test_numbers_are_drawn_as_they_are_in_axes_that_are_given(figures):
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots()
    figures.add(figure.number)
    display = ExplainedVarianceDisplay([1, 2], [0.3, 0.6], pca_r2=[0.2, 0.4]).plot(ax=ax)
    assert display.figure_ is figure
    assert set(drawn(ax)) == {"autoencoder", "PCA"}


def test_an_estimator_without_shares_is_refused(autoencoder):
    with pytest.raises(TypeError, match="AutoencoderTransformer does not know"):
        ExplainedVarianceDisplay.from_estimator(autoencoder)
