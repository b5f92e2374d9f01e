"""LatentJointDisplay: statistics against scipy's, ellipses against Mahalanobis distances."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import mahalanobis
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae._drawing import PALETTE
from skae.plotting import LatentJointDisplay

COVARIANCE = [[4.0, 1.5], [1.5, 1.0]]


@pytest.fixture(scope="module")
def codes():
    return np.random.RandomState(0).multivariate_normal([3, -2], COVARIANCE, size=400)


@pytest.fixture
def display(codes):
    return LatentJointDisplay.from_predictions(codes)


# The numbers


def test_the_statistics_are_those_of_the_codes(display, codes):
    np.testing.assert_allclose(display.mean_, codes.mean(axis=0))
    np.testing.assert_allclose(display.covariance_, np.cov(codes, rowvar=False))
    np.testing.assert_allclose(display.skewness_, stats.skew(codes))
    np.testing.assert_allclose(display.kurtosis_, stats.kurtosis(codes))
    assert display.correlation_ == pytest.approx(stats.pearsonr(*codes.T).statistic)


def test_mutual_information_of_normal_codes_is_that_of_their_correlation():
    random = np.random.RandomState(0)
    for rho in (0.0, 0.6, 0.9):
        codes = random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=2000)
        display = LatentJointDisplay.from_predictions(codes)
        expected = -0.5 * np.log(1 - rho**2)
        assert display.mutual_information_ == pytest.approx(expected, abs=0.06)
        assert display.mutual_information_ >= 0


def test_mutual_information_sees_what_a_correlation_does_not():
    angle = np.random.RandomState(0).uniform(0, 2 * np.pi, size=1000)
    display = LatentJointDisplay.from_predictions(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert abs(display.correlation_) < 0.1
    assert display.mutual_information_ > 1


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_a_code_that_is_constant_has_no_correlation_and_tells_nothing(value, draw):
    codes = np.column_stack([np.full(50, value), np.random.RandomState(0).normal(size=50)])
    display = LatentJointDisplay.from_predictions(codes)
    draw(display.figure_)
    assert np.isnan(display.correlation_)
    assert display.mutual_information_ == 0
    np.testing.assert_array_equal(np.isnan(display.skewness_), [True, False])
    np.testing.assert_array_equal(display.covariance_[0], [0, 0])
    low, high = display.ax_joint_.get_xlim()
    assert low < value < high
    assert not display.ax_marginal_x_.lines  # no normal density
    assert len(display.ax_marginal_y_.lines) == 1


def test_two_constant_codes_are_drawn(draw):
    display = LatentJointDisplay.from_predictions(np.full((10, 2), 0.3))
    draw(display.figure_)
    assert np.isnan(display.kurtosis_).all()


# The picture


def test_the_points_are_the_codes_and_the_bars_their_histograms(display, codes, draw):
    draw(display.figure_)
    assert len(display.figure_.axes) == 4  # the corner is empty
    (points,) = display.ax_joint_.collections
    np.testing.assert_array_equal(points.get_offsets(), codes)
    heights, edges = np.histogram(codes[:, 0], bins=20, density=True)
    bars = display.ax_marginal_x_.patches
    np.testing.assert_allclose([bar.get_height() for bar in bars], heights)
    np.testing.assert_allclose([bar.get_x() for bar in bars], edges[:-1])
    widths, edges = np.histogram(codes[:, 1], bins=20, density=True)
    bars = display.ax_marginal_y_.patches
    np.testing.assert_allclose([bar.get_width() for bar in bars], widths)
    np.testing.assert_allclose([bar.get_y() for bar in bars], edges[:-1])
    assert display.ax_joint_.get_xlabel() == "code 0"
    assert display.ax_joint_.get_ylabel() == "code 1"


def test_the_lines_are_normal_densities(display, codes):
    (line,) = display.ax_marginal_x_.lines
    place, density = line.get_data()
    expected = stats.norm(codes[:, 0].mean(), codes[:, 0].std(ddof=1)).pdf(place)
    np.testing.assert_allclose(density, expected)
    (line,) = display.ax_marginal_y_.lines
    density, place = line.get_data()
    expected = stats.norm(codes[:, 1].mean(), codes[:, 1].std(ddof=1)).pdf(place)
    np.testing.assert_allclose(density, expected)


def test_points_of_the_ellipses_have_the_same_mahalanobis_distance(display, codes):
    inverse = np.linalg.inv(np.cov(codes.T))
    for line, share in zip(display.ax_joint_.lines, (0.5, 0.95), strict=True):
        distances = [mahalanobis(p, codes.mean(axis=0), inverse) for p in line.get_xydata()]
        np.testing.assert_allclose(distances, np.sqrt(stats.chi2(2).ppf(share)))


def test_the_ellipses_hold_their_share_of_normal_codes():
    codes = np.random.RandomState(1).multivariate_normal([0, 5], COVARIANCE, size=4000)
    display = LatentJointDisplay.from_predictions(codes)
    from matplotlib.path import Path

    for line, share in zip(display.ax_joint_.lines, (0.5, 0.95), strict=True):
        inside = Path(line.get_xydata()).contains_points(codes)
        assert inside.mean() == pytest.approx(share, abs=0.025)


def test_all_points_and_both_ellipses_are_within_the_axes(display, codes):
    ax = display.ax_joint_
    everything = np.concatenate([codes, *(line.get_xydata() for line in ax.lines)])
    for (low, high), values in zip((ax.get_xlim(), ax.get_ylim()), everything.T, strict=True):
        assert low < values.min()
        assert values.max() < high
    assert display.ax_marginal_x_.get_xlim() == ax.get_xlim()
    assert display.ax_marginal_y_.get_ylim() == ax.get_ylim()


def test_the_numbers_are_written_down(display):
    title = display.ax_marginal_x_.get_title(loc="left")
    assert title == (
        f"correlation {display.correlation_:.2f}, "
        f"mutual information {display.mutual_information_:.2f} nats"
    )
    for i, ax in enumerate((display.ax_marginal_x_, display.ax_marginal_y_)):
        (text,) = ax.texts
        expected = f"skewness {display.skewness_[i]:.2f}, kurtosis {display.kurtosis_[i]:.2f}"
        assert text.get_text() == expected


def test_other_codes_are_chosen_by_their_numbers(draw):
    codes = np.random.RandomState(0).normal(size=(30, 4))
    display = LatentJointDisplay.from_predictions(codes, components=(3, 1))
    draw(display.figure_)
    np.testing.assert_array_equal(display.ax_joint_.collections[0].get_offsets(), codes[:, [3, 1]])
    assert display.ax_joint_.get_xlabel() == "code 3"
    assert display.ax_joint_.get_ylabel() == "code 1"


def test_classes_have_a_legend_and_colors_of_their_own(codes, draw):
    y = np.array(["$a$", "b", "c"])[np.arange(400) % 3]
    display = LatentJointDisplay.from_predictions(codes, y)
    draw(display.figure_)
    colors = display.ax_joint_.collections[0].get_facecolors()[:, :3]
    for number in range(3):
        assert len(np.unique(colors[number::3], axis=0)) == 1
    assert len(np.unique(colors, axis=0)) == 3
    (legend,) = [ax.get_legend() for ax in display.figure_.axes if ax.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == [r"\$a\$", "b", "c"]
    assert [h.get_color() for h in legend.legend_handles] == list(PALETTE[:3])


@pytest.mark.parametrize("y", [np.linspace(-1, 1, 400), np.arange(400) % 11])
def test_numbers_and_many_classes_have_a_scale_of_colors(codes, y, draw):
    display = LatentJointDisplay.from_predictions(codes, y)
    draw(display.figure_)
    (points,) = display.ax_joint_.collections
    np.testing.assert_array_equal(points.get_array(), y)
    assert len(display.figure_.axes) == 5
    assert display.figure_.axes[-1].get_ylim() == (y.min(), y.max())


@pytest.mark.parametrize("n_rows", [3, 4, 20000])
def test_few_and_many_rows_are_drawn(n_rows, draw):
    codes = np.random.RandomState(0).normal(size=(n_rows, 2))
    display = LatentJointDisplay.from_predictions(codes, np.arange(n_rows) % 3)
    draw(display.figure_)
    assert display.ax_joint_.collections[0].get_offsets().shape == (n_rows, 2)
    n_bars = len(display.ax_marginal_x_.patches)
    assert n_bars == np.clip(int(np.sqrt(n_rows)), 8, 60)
    assert np.isfinite(display.mutual_information_)


def test_codes_on_a_line_are_drawn(draw):
    codes = np.outer(np.linspace(-1, 2, 60), [1.0, -3.0]) + np.array([5, 0])
    display = LatentJointDisplay.from_predictions(codes)
    draw(display.figure_)
    assert display.correlation_ == pytest.approx(-1)
    assert display.mutual_information_ > 1


# Drawing


def test_drawing_again_gives_the_same(codes, check_redrawing):
    display = LatentJointDisplay.from_predictions(codes, np.arange(400) % 3)
    mutual_information = display.mutual_information_
    check_redrawing(display)
    assert display.mutual_information_ == mutual_information


def test_a_display_made_of_codes_alone_is_drawn_the_same(codes):
    display = LatentJointDisplay(codes, components=(0, 1)).plot()
    other = LatentJointDisplay.from_predictions(codes)
    assert display.correlation_ == pytest.approx(other.correlation_)
    assert display.mutual_information_ == pytest.approx(other.mutual_information_)


def test_axes_that_are_given_are_divided(codes, subplots, draw):
    figure, axes = subplots(1, 2, figsize=(11, 5), layout="constrained")
    display = LatentJointDisplay.from_predictions(codes, np.arange(400) % 3, ax=axes[0])
    draw(figure)
    assert display.figure_ is figure
    place, box = axes[0].get_position(), display.ax_joint_.get_position()
    assert place.x0 - 0.01 <= box.x0 < box.x1 <= 0.55
    with pytest.raises(ValueError, match="ax has been divided"):
        display.plot(ax=axes[0])


def test_an_estimator_is_asked_for_codes(digits):
    X, y = digits
    pipeline = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    display = LatentJointDisplay.from_estimator(pipeline, X, y, components=(0, 2))
    np.testing.assert_array_equal(display.codes, pipeline.transform(X)[:, [0, 2]])
    assert display.correlation_ == pytest.approx(0, abs=1e-9)  # principal components
    np.testing.assert_array_equal(display.y, y)


@pytest.mark.parametrize(
    "components", [(0, 0), (0,), (0, 1, 2), (0, 5), (-1, 0), (0.0, 1.0), 1, ("a", "b")]
)
def test_what_are_not_two_codes_is_an_error(codes, components):
    with pytest.raises(ValueError, match="two different codes of the 2 that there are"):
        LatentJointDisplay.from_predictions(codes, components=components)


def test_bad_input_is_an_error(codes):
    with pytest.raises(ValueError, match="There are 2 rows, but a distribution needs three"):
        LatentJointDisplay.from_predictions(codes[:2])
    with pytest.raises(ValueError, match="inconsistent"):
        LatentJointDisplay.from_predictions(codes, np.zeros(3))
    with pytest.raises(ValueError, match="column 'y' of X contains infinity"):
        LatentJointDisplay.from_predictions(codes[:3], [0.5, np.inf, 1])
    with pytest.raises(ValueError, match="contains NaN"):
        LatentJointDisplay.from_predictions(np.full((3, 2), np.nan))
