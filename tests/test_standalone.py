"""Methods as torch modules give what the methods give, before anything is exported."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris

from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae._standalone import parts_of

X, Y = load_iris(return_X_y=True)
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 2, "early_stopping": False, "random_state": 0}
HOLES = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.2, np.nan, X)
MASKED = AutoencoderTransformer(2, missing="mask", **SMALL).fit(HOLES)
IMPUTER = AutoencoderImputer(AutoencoderTransformer(2, missing="mask", **SMALL)).fit(HOLES)
DETECTOR = AutoencoderOutlierDetector(
    AutoencoderTransformer(2, missing="mask", **SMALL), n_folds=2, random_state=0
).fit(HOLES)
WITHOUT_HOLES = [
    AutoencoderOutlierDetector(kind(2, **SMALL), criterion=criterion, n_folds=2).fit(X)
    for kind, criterion in (
        (AutoencoderTransformer, "combined"),
        (AutoencoderTransformer, "mahalanobis"),
        (AutoencoderTransformer, "scaled_error"),
        (VariationalAutoencoderTransformer, "squared_error"),
    )
]
STACK = StackedAutoencoderClassifier(
    (6, 3), pretrain_max_iter=2, max_iter=2, random_state=0, missing="mask"
).fit(HOLES, Y)
GIVEN = VariationalAutoencoderTransformer(2, conditional=True, missing="mask", **SMALL).fit(
    HOLES, Y
)

rows_with_holes = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.just(4)), elements=st.floats(-10, 10)
).flatmap(lambda rows: arrays(bool, rows.shape).map(lambda hole: np.where(hole, np.nan, rows)))


def alone(estimator, part, *given):
    """Return what a method as a module makes of arrays, as arrays."""
    module = parts_of(estimator)[part].module(estimator)
    with torch.no_grad():
        result = module(*[torch.from_numpy(np.ascontiguousarray(one)) for one in given])
    return [one.numpy() for one in result] if isinstance(result, tuple) else result.numpy()


def assert_close(computed, expected):
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(rows_with_holes)
def test_whatever_is_missing_modules_do_what_methods_do(rows):
    assert_close(alone(MASKED, "transform", rows), MASKED.transform(rows))
    assert_close(alone(MASKED, "impute", rows), MASKED.impute(rows))
    assert_close(alone(IMPUTER, "transform", rows), IMPUTER.transform(rows))
    number, probability = alone(STACK, "predict_proba", rows)
    assert_close(probability, STACK.predict_proba(rows))
    assert (STACK.classes_[number] == probability.argmax(axis=1)).all()


@settings(max_examples=50, deadline=None)
@given(rows_with_holes)
def test_a_detector_judges_rows_whatever_is_missing(rows):
    decision, (label, scores) = (
        np.full(len(rows), np.nan),
        alone(DETECTOR, "decision_function", rows),
    )
    known = ~np.isnan(rows).all(axis=1)  # others are refused in Python
    if known.any():
        decision[known] = DETECTOR.decision_function(rows[known])
    np.testing.assert_allclose(scores[:, 0], decision, rtol=1e-4, atol=1e-4)
    sure = known & (np.abs(decision) > 1e-4)
    assert (label[sure, 0] == np.where(decision[sure] < 0, -1, 1)).all()


@pytest.mark.parametrize("detector", WITHOUT_HOLES, ids=lambda one: one.criterion)
def test_a_detector_judges_rows_by_any_criterion(detector):
    new = X + 0.01
    _, scores = alone(detector, "decision_function", new)
    assert_close(scores[:, 0], detector.decision_function(new))


def test_codes_are_decoded_with_their_condition():
    codes, wanted = GIVEN.transform(HOLES), Y[::-1]
    numbers = wanted[:, None]  # of the classes, as these count from zero
    expected = GIVEN.inverse_transform(codes, wanted)
    assert_close(alone(GIVEN, "inverse_transform", codes, numbers), expected)
    assert_close(alone(GIVEN, "reconstruct", HOLES, numbers), expected)
    unknown = alone(GIVEN, "inverse_transform", codes, np.full_like(numbers, -1))
    assert np.isnan(unknown).all()


def test_integers_come_out_in_single_precision():
    rows = (X * 10).astype(np.int64)
    autoencoder = AutoencoderTransformer(2, **SMALL).fit(rows)
    codes = alone(autoencoder, "transform", rows)
    assert codes.dtype == np.float32
    assert_close(codes, autoencoder.transform(rows))


def test_a_module_shares_nothing_with_its_estimator():
    module = parts_of(MASKED)["transform"].module(MASKED)
    before = MASKED.transform(X)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert (MASKED.transform(X) == before).all()


@pytest.mark.parametrize(
    ("estimator", "parts"),
    [
        (MASKED, ["transform", "inverse_transform", "reconstruct", "impute"]),
        (GIVEN, ["transform", "inverse_transform", "reconstruct", "impute"]),
        (STACK, ["predict_proba", "transform", "inverse_transform", "reconstruct"]),
        (DETECTOR, ["decision_function"]),
        (IMPUTER, ["transform"]),
        (
            ConvolutionalAutoencoderTransformer(
                2, max_iter=1, early_stopping=False, random_state=0
            ).fit(X),
            ["transform", "inverse_transform", "reconstruct"],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_parts_of_an_estimator(estimator, parts):
    assert [*parts_of(estimator)] == parts
