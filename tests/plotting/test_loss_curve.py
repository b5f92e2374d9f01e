"""LossCurveDisplay: the losses that fits left, and the epoch that was kept."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, StackedAutoencoderClassifier
from skae.plotting import LossCurveDisplay
from skae.plotting._loss_curve import LossCurve

STACK = {"pretrain_max_iter": 3, "softmax_max_iter": 4, "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def held_out(digits):
    return AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), max_iter=6, validation_fraction=0.2, random_state=0
    ).fit(digits[0])


@pytest.fixture(scope="module")
def stack(digits):
    return StackedAutoencoderClassifier((8, 5), early_stopping=True, **STACK).fit(*digits)


def data(line):
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def vertical_lines(ax):
    """Return where vertical lines through the whole axes are."""
    lines = [data(line) for line in ax.lines if line.get_linestyle() == ":"]
    return [x[0] for x, y in lines if x[0] == x[1] and y.tolist() == [0, 1]]


# What is drawn


def test_training_starts_at_epoch_one_and_validation_before_it(held_out, draw):
    display = LossCurveDisplay.from_estimator(held_out)
    draw(display.figure_)
    (ax,) = display.axes_
    assert display.figure_.axes == [ax]
    n_epochs = len(held_out.loss_curve_)
    x, y = data(ax.lines[0])
    np.testing.assert_array_equal(x, np.arange(1, n_epochs + 1))
    np.testing.assert_array_equal(y, held_out.loss_curve_)
    x, y = data(ax.lines[1])
    np.testing.assert_array_equal(x, np.arange(n_epochs + 1))
    np.testing.assert_array_equal(y, held_out.validation_loss_curve_)
    assert ax.get_xlabel() == "epoch"
    assert ax.get_ylabel() == "loss"
    assert ax.get_title() == ""


def test_the_epoch_kept_is_marked_on_the_curve_and_by_a_line(held_out):
    (ax,) = LossCurveDisplay.from_estimator(held_out).axes_
    kept = held_out.best_iter_
    assert vertical_lines(ax) == [kept]
    (mark,) = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert data(mark) == (kept, held_out.validation_loss_curve_[kept])
    assert legend_of(ax) == ["training rows", "rows held out", f"kept: epoch {kept}"]


def test_without_rows_held_out_there_is_one_curve(autoencoder, draw):
    display = LossCurveDisplay.from_estimator(autoencoder)
    draw(display.figure_)
    (ax,) = display.axes_
    np.testing.assert_array_equal(data(ax.lines[0])[1], autoencoder.loss_curve_)
    assert vertical_lines(ax) == [2]
    assert legend_of(ax) == ["training rows", "kept: epoch 2"]
    assert len(ax.lines) == 2


def test_a_pretrained_autoencoder_has_a_panel_for_each_layer(digits, draw):
    autoencoder = AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), init="random", pretrain=True, max_iter=3,
        early_stopping=False, random_state=0,
    ).fit(digits[0])  # fmt: skip
    display = LossCurveDisplay.from_estimator(autoencoder)
    draw(display.figure_)
    n_layers = len(autoencoder.pretraining_loss_curves_)
    assert n_layers >= 1
    expected = [*autoencoder.pretraining_loss_curves_, autoencoder.loss_curve_]
    names = [*(f"layer {i + 1}" for i in range(n_layers)), "whole network"]
    assert [ax.get_title() for ax in display.axes_] == names
    for ax, losses in zip(display.axes_, expected, strict=True):
        np.testing.assert_array_equal(data(ax.lines[0])[1], losses)


def test_a_stack_has_a_panel_for_each_stage(stack, draw):
    display = LossCurveDisplay.from_estimator(stack)
    draw(display.figure_)
    assert [ax.get_title() for ax in display.axes_] == [stage.name for stage in stack.stages_]
    assert len(display.axes_) == 4
    for ax, stage in zip(display.axes_, stack.stages_, strict=True):
        np.testing.assert_array_equal(data(ax.lines[0])[1], stage.loss_curve)
    assert display.axes_[0].get_ylabel() == "loss"
    assert display.axes_[1].get_ylabel() == ""


def test_a_share_of_wrong_answers_has_a_scale_of_its_own(stack):
    display = LossCurveDisplay.from_estimator(stack)
    judged = [stage for stage in stack.stages_ if stage.validation_loss_curve is not None]
    twins = [ax for ax in display.figure_.axes if ax not in display.axes_.tolist()]
    assert len(twins) == len(judged) == 2
    for ax, twin, stage in zip(display.axes_[2:], twins, judged, strict=True):
        assert len(ax.lines) == 2  # training, and the epoch kept
        x, y = data(twin.lines[0])
        np.testing.assert_array_equal(x, np.arange(len(stage.loss_curve) + 1))
        np.testing.assert_array_equal(y, stage.validation_loss_curve)
        assert data(twin.lines[1]) == (stage.best_iter, y[stage.best_iter])
        assert twin.get_ylim()[0] == 0
        assert vertical_lines(ax) == [stage.best_iter]
        kept = f"kept: epoch {stage.best_iter}"
        assert legend_of(ax) == ["training rows", "held out: share wrong", kept]


def test_a_stack_that_is_judged_by_the_loss_has_one_scale(digits):
    stack = StackedAutoencoderClassifier((8,), early_stopping=True, scoring="loss", **STACK).fit(
        *digits
    )
    display = LossCurveDisplay.from_estimator(stack)
    assert display.figure_.axes == display.axes_.tolist()
    assert legend_of(display.axes_[-1])[1] == "rows held out"


def test_a_perceptron_of_scikit_learn_has_a_curve_too(digits, draw):
    X, y = digits
    pipeline = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0)
    )
    with pytest.warns(ConvergenceWarning):
        pipeline.fit(X, y)
    display = LossCurveDisplay.from_estimator(pipeline)
    draw(display.figure_)
    (ax,) = display.axes_
    np.testing.assert_array_equal(data(ax.lines[0])[1], pipeline[-1].loss_curve_)
    assert legend_of(ax) == ["training rows"]


# The scale


@pytest.mark.parametrize(
    ("losses", "log", "scale"),
    [
        ([20.0, 5.0, 1.0], "auto", "log"),
        ([19.0, 5.0, 1.0], "auto", "linear"),
        ([100.0, 0.0], "auto", "linear"),
        ([100.0, -1.0], "auto", "linear"),
        ([100.0, 1.0], False, "linear"),
        ([2.0, 1.0], True, "log"),
        ([np.inf, 2.0, 1.0], "auto", "linear"),
        ([np.nan, np.nan], "auto", "linear"),
    ],
)
def test_curves_that_fall_far_are_on_a_logarithmic_scale(losses, log, scale, draw):
    display = LossCurveDisplay([LossCurve("", np.array(losses), None, None)]).plot(log=log)
    draw(display.figure_)
    assert display.axes_[0].get_yscale() == scale


def test_the_rows_held_out_count_for_the_scale_if_they_measure_the_same():
    training, validation = np.array([2.0, 1.0]), np.array([90.0, 2.0, 1.0])
    for same, scale in ((True, "log"), (False, "linear")):
        curve = LossCurve("", training, validation, 2, same_measure=same)
        (ax,) = LossCurveDisplay([curve]).plot().axes_
        assert ax.get_yscale() == scale


@pytest.mark.parametrize("n_epochs", [1, 2, 1000])
def test_few_and_many_epochs_are_drawn(n_epochs, draw):
    losses = 1 / np.arange(1, n_epochs + 1)
    curve = LossCurve("$\\frac$", losses, np.append(2.0, losses), 0)
    display = LossCurveDisplay([curve]).plot()
    draw(display.figure_)
    (ax,) = display.axes_
    assert (ax.lines[0].get_marker() == "o") == (n_epochs <= 12)  # a line needs two points
    assert vertical_lines(ax) == [0]
    assert all(tick % 1 == 0 for tick in ax.get_xticks())


# Drawing


def test_drawing_again_gives_the_same(stack, held_out, check_redrawing):
    check_redrawing(LossCurveDisplay.from_estimator(stack))
    check_redrawing(LossCurveDisplay.from_estimator(held_out))


def test_the_losses_are_a_copy(autoencoder):
    display = LossCurveDisplay.from_estimator(autoencoder)
    display.curves[0].training[:] = 0
    assert min(autoencoder.loss_curve_) > 0


def test_axes_that_are_given_are_divided(stack, autoencoder, subplots, draw):
    figure, (one, two) = subplots(2, 1, figsize=(12, 8), layout="constrained")
    display = LossCurveDisplay.from_estimator(stack, ax=one)
    LossCurveDisplay.from_estimator(autoencoder, ax=two)
    draw(figure)
    assert display.figure_ is figure
    bottoms = [ax.get_position().y0 for ax in display.axes_]
    assert min(bottoms) > 0.45
    with pytest.raises(ValueError, match="ax has been divided"):
        display.plot(ax=one)


def test_an_estimator_without_losses_is_an_error(pca):
    with pytest.raises(TypeError, match="PCA has no loss_curve_; give an estimator"):
        LossCurveDisplay.from_estimator(pca)
