"""How many codes rows held out ask for. What codes are worth is tested with the estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.model_selection import PredefinedSplit
from torch import nn

import skae
from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    TableAutoencoderTransformer,
)
from skae._ordered_codes import _n_enough, _standard_errors
from skae.metrics import reconstruction_r2


def auto(**parameters):
    defaults = {
        "hidden_layer_sizes": 8,
        "init": "pca",
        "noise": None,
        "max_iter": 3,
        "validation_fraction": 0.25,
        "random_state": 0,
    }
    return AutoencoderTransformer("auto", **defaults | parameters)


def of_rank(rank, n_columns=10, noise=0.2, n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(rank, n_columns))
    X = rng.normal(size=(n_rows, rank)) @ (loadings / np.linalg.norm(loadings, axis=0))
    return X + noise * rng.normal(size=X.shape)


# What is asked for, by the errors of rows held out


def errors_of(left, n_rows=400, spread=0.1):
    """Return errors of rows whose means are the shares that some codes leave, the first 1."""
    errors = np.exp(spread * np.random.default_rng(0).normal(size=(n_rows, len(left))))
    return np.asarray(left) * errors / errors.mean(axis=0)


@pytest.mark.parametrize(
    ("left", "n_codes"),
    [
        ([1, 0.6, 0.3, 0.27, 0.24, 0.21], 2),  # after two, a tenth of what is left: noise
        ([1, 0.6, 0.3, 0.1, 0.09, 0.08], 3),
        ([1, 0.9, 0.8, 0.1, 0.09, 0.08], 3),  # the first two look like noise, all three do not
        ([1, 0.9, 0.8, 0.7, 0.6, 0.5], 1),  # nothing but noise
        ([1, 0.1, 0.01, 0.005, 0.001, 0], 2),  # what follows is less than 1 % each
        ([1, 0.6, 0.4, 0.2, 0.1, 0.02], 5),
    ],
)
def test_a_number_is_enough_if_no_larger_one_adds_more_than_noise(left, n_codes):
    errors = errors_of(left)
    assert _n_enough(errors, np.ones(len(errors)), None, n_columns=10) == n_codes


def test_what_few_rows_or_groups_say_is_not_enough_to_ask_for_a_code():
    errors = errors_of([1, 0.6, 0.3])
    ones = np.ones(len(errors))
    assert _n_enough(errors, ones, None, 10) == 2
    assert _n_enough(errors[:20], ones[:20], None, 10) == 1
    assert _n_enough(errors, ones, np.arange(len(errors)) % 2, 10) == 1
    noisy = errors_of([1, 0.6, 0.5], spread=3.0)
    assert _n_enough(noisy, ones, None, 10) == 1


def test_a_code_of_pure_noise_is_asked_for_in_one_of_a_hundred_cases():
    rng = np.random.default_rng(0)
    asked = 0
    for _ in range(500):
        squares = rng.normal(size=(100, 5)) ** 2  # what is left behind one code of six directions
        left = np.c_[squares.sum(axis=1) + 5, squares.sum(axis=1), squares[:, 1:].sum(axis=1)]
        asked += _n_enough(left, np.ones(100), None, n_columns=6) > 1
    assert asked <= 12  # 5 are expected of the level; of 12 the probability is 0.998


def test_standard_errors_are_the_scatter_of_shares_of_other_rows():
    rng = np.random.default_rng(0)

    def errors():
        total = rng.exponential(size=200)
        return np.c_[total, total * rng.uniform(0.1, 0.5, 200), rng.exponential(size=200) / 10]

    drawn = [errors() for _ in range(300)]
    shares = [some.sum(axis=0)[1:] / some.sum(axis=0)[0] for some in drawn]
    told = np.mean([_standard_errors(some, np.ones(200)) for some in drawn], axis=0)
    assert_allclose(told, np.std(shares, axis=0), rtol=0.15)
    assert_allclose(
        _standard_errors(drawn[0], np.full(200, 3.0)), _standard_errors(drawn[0], np.ones(200))
    )


# Fits


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_rows_of_a_rank_ask_for_as_many_codes(rank):
    X = of_rank(rank)
    fitted = auto().fit(X)
    assert fitted.n_components_ == rank
    assert fitted.transform(X).shape == (len(X), rank)
    assert fitted.score(X) > PCA(rank).fit(X).explained_variance_ratio_.sum() - 1e-6


@pytest.mark.parametrize("unit", [1e-29, 1e80])
def test_as_many_codes_are_asked_for_in_any_unit_of_the_columns(unit):
    fitted = auto().fit(unit * of_rank(2))
    assert fitted.n_components_ == 2
    assert_allclose(fitted.components_curve_["r2_error"], [0.04, 0.004], atol=0.01)


def test_rank_without_noise_and_in_few_rows_of_many_columns():
    assert auto().fit(of_rank(3, noise=0)).n_components_ == 3
    assert auto().fit(of_rank(3, n_columns=300, n_rows=150)).n_components_ == 3


def test_noise_alone_asks_for_one_code():
    noise = np.random.default_rng(1).normal(size=(300, 10))
    assert auto().fit(noise).n_components_ == 1


@pytest.mark.slow
def test_a_curve_asks_for_one_code_where_pca_needs_two():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (150, 1))
    X = np.c_[t, 1.3 * t**2] @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(size=(150, 5))
    fitted = auto(
        hidden_layer_sizes=32, learning_rate_init=0.02, max_iter=30, n_iter_no_change=30
    ).fit(X)
    assert fitted.n_components_ == 1
    curve = fitted.components_curve_
    assert curve["r2"][0] > curve["pca_r2"][0] + 0.1
    assert curve["pca_r2"][1] > 0.98


def test_the_curve_of_pca_is_that_of_rows_held_out():
    X = of_rank(3)
    fold = np.arange(len(X)) % 4 - 1  # three folds; the others are trained on always
    fitted = auto(
        validation_fraction=PredefinedSplit(fold), max_iter=1, learning_rate_init=1e-12
    ).fit(X)
    curve = fitted.components_curve_
    squares = np.zeros(len(curve["n_components"]) + 1)
    for number in range(3):
        held_out, pca = X[fold == number], PCA().fit(X[fold != number])
        codes = pca.transform(held_out)
        for n_codes in range(len(squares)):
            rebuilt = np.pad(codes[:, :n_codes], ((0, 0), (0, 10 - n_codes)))
            squares[n_codes] += ((held_out - pca.inverse_transform(rebuilt)) ** 2).sum()
    assert_allclose(curve["pca_r2"], 1 - squares[1:] / squares[0], rtol=1e-6)
    assert curve["n_components"] == list(range(1, len(squares)))
    # The network is still at its start, which is PCA.
    assert_allclose(curve["r2"], curve["pca_r2"], atol=1e-4)
    assert (np.array(curve["r2_error"]) > 0).all()


def test_weights_and_copies_of_rows_are_the_same():
    X = of_rank(2, n_rows=120)
    weight = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = auto().fit(X, sample_weight=weight)
    copied = auto().fit(np.repeat(X, weight, axis=0))
    assert weighted.components_curve_ == copied.components_curve_


def test_a_seed_gives_the_same_bits_and_a_file_keeps_them(tmp_path):
    X = of_rank(3)
    first, second = auto().fit(X), auto().fit(X)
    assert first.components_curve_ == second.components_curve_
    assert_array_equal(first.transform(X), second.transform(X))
    skae.save(first, tmp_path / "model.skae")
    loaded = skae.load(tmp_path / "model.skae")
    assert loaded.n_components == "auto"
    assert loaded.components_curve_ == first.components_curve_
    assert_array_equal(loaded.transform(X), first.transform(X))


def test_a_fit_of_a_given_number_forgets_the_curve_and_a_warm_start_keeps_the_number():
    fitted = auto(warm_start=True).fit(of_rank(2))
    curve = fitted.components_curve_
    fitted.fit(of_rank(5))
    assert fitted.n_components_ == 2
    assert fitted.components_curve_ == curve
    fitted.set_params(n_components=3, warm_start=False).fit(of_rank(5))
    with pytest.raises(AttributeError, match="n_components='auto' only"):
        _ = fitted.components_curve_


def test_an_interrupted_fit_goes_on_to_the_same_end(tmp_path):
    X = of_rank(3)
    straight = auto(validation_fraction="auto").fit(X)

    class Stop(Exception):
        pass

    class StopsInTime:
        n_calls = 0

        def __call__(self, *_):
            StopsInTime.n_calls += 1
            if StopsInTime.n_calls == 2:
                raise Stop

    again = auto(validation_fraction="auto", checkpoint=(tmp_path / "journal", 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skae._ordered_codes._left_by_pca", StopsInTime())
        with pytest.raises(Stop):
            again.fit(X)
    assert (tmp_path / "journal").exists()
    again.fit(X)
    assert again.components_curve_ == straight.components_curve_
    assert_array_equal(again.transform(X), straight.transform(X))


def test_rows_with_holes_and_targets_of_their_own_are_asked_too():
    X = of_rank(2)
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.05, np.nan, X)
    fitted = auto(missing="mask").fit(holes)
    assert np.isfinite(fitted.components_curve_["r2"]).all()
    noisy = X + 0.3 * np.random.default_rng(0).normal(size=X.shape)
    denoising = auto().fit(noisy, X)
    assert denoising.n_components_ == 2
    assert reconstruction_r2(X, denoising.inverse_transform(denoising.transform(noisy))) > 0.8


def test_estimators_made_of_it_ask_as_well():
    X = of_rank(2, n_columns=16)
    image = ConvolutionalAutoencoderTransformer(
        "auto", channels=(4,), max_iter=1, validation_fraction=0.25, random_state=0
    ).fit(X)
    assert image.n_components_ == 2
    table = TableAutoencoderTransformer("auto", autoencoder=auto(), random_state=0).fit(X)
    assert table.n_components_ == 2
    assert table.autoencoder_.components_curve_["n_components"][0] == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"early_stopping": False, "validation_fraction": "auto"},
            "early_stopping=False there are none",
        ),
        ({"encoder": nn.Linear(10, 3)}, "does not go with encoder as a module"),
    ],
)
def test_where_nothing_can_be_asked_an_error_says_so(parameters, message):
    with pytest.raises(ValueError, match=message):
        auto(**parameters).fit(of_rank(2))


def test_partial_fit_holds_no_rows_out():
    assert not hasattr(auto(), "partial_fit")
    assert hasattr(auto().set_params(n_components=2), "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
        auto().partial_fit(of_rank(2))
    assert "partial_fit holds none out" in str(error.value.__cause__)
