"""AutoencoderOutlierDetector: scikit-learn's contract, honest scores, an honest threshold."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)


def small(n_components=1, **parameters):
    """Return a small autoencoder that trains for a moment, on all rows."""
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False}
    return AutoencoderTransformer(n_components, **defaults | parameters)


CHECKED = [
    AutoencoderOutlierDetector(
        small(), criterion="squared_error", contamination=0.3, n_folds=2, random_state=0
    ),
    AutoencoderOutlierDetector(small(missing="mask"), criterion="scaled_error", n_folds=4),
    AutoencoderOutlierDetector(
        small(), contamination="auto", n_folds=2, half_life=50, random_state=0
    ),
    AutoencoderOutlierDetector(
        VariationalAutoencoderTransformer(
            1, hidden_layer_sizes=8, max_iter=3, early_stopping=False, random_state=0
        ),
        criterion="log_likelihood",
        n_folds=2,
    ),
]


@pytest.mark.slow
@parametrize_with_checks([AutoencoderOutlierDetector()])
def test_by_default_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks(CHECKED)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def table(n_samples=200, n_features=6, seed=0):
    """Return rows near a curved surface of two dimensions."""
    random = np.random.RandomState(seed)
    codes = random.normal(size=(n_samples, 2))
    mixing = np.random.RandomState(0).normal(size=(4, n_features))
    curved = np.column_stack([codes, codes**2])
    return curved @ mixing + 0.3 * random.normal(size=(n_samples, n_features))


def quick(autoencoder=None, **parameters):
    """Return a detector with a small autoencoder and three folds."""
    defaults = {"n_folds": 3, "random_state": 0}
    return AutoencoderOutlierDetector(autoencoder or small(2), **defaults | parameters)


@cache
def fitted(criterion="combined"):
    return quick(criterion=criterion).fit(table())


def folds_of(detector, X):
    """Return the fold of each row, told by which autoencoder's error is the row's score."""
    errors = np.array([ae.reconstruction_error(X) for ae in detector.autoencoders_])
    return np.abs(errors + detector.score_samples(X)).argmin(axis=0)


# Scores


def test_a_row_of_X_is_scored_by_the_autoencoder_that_has_not_seen_it():
    X = table()
    # At PCA the encoder's gradient is nothing but rounding, which solvers make whole steps of.
    random = small(2, init="random")
    detector = quick(random, criterion="squared_error").fit(X)
    folds = folds_of(detector, X)
    np.testing.assert_array_equal(np.sort(np.bincount(folds)), [66, 67, 67])
    for fold, autoencoder in enumerate(detector.autoencoders_):
        own = X[folds == fold]
        np.testing.assert_allclose(
            -detector.score_samples(own), autoencoder.reconstruction_error(own)
        )
        again = clone(random).set_params(random_state=autoencoder.random_state)
        again.fit(X[folds != fold])
        np.testing.assert_allclose(
            again.reconstruction_error(own), autoencoder.reconstruction_error(own), rtol=1e-5
        )


def test_folds_of_other_numbers_of_rows_are_trained_as_each_by_itself():
    X, groups = table(), np.r_[np.zeros(120), np.arange(1, 81)]
    autoencoder = AutoencoderTransformer(
        1, hidden_layer_sizes=4, batch_size=32, early_stopping=False, random_state=0
    )
    detector = AutoencoderOutlierDetector(autoencoder, criterion="squared_error")
    detector.fit(X, groups=groups)
    n_iter = [one.n_iter_ for one in detector.autoencoders_]
    folds = folds_of(detector, X)
    alone = [clone(autoencoder).fit(X[folds != fold]).n_iter_ for fold in range(3)]
    assert n_iter == alone
    assert len(set(n_iter)) > 1


def test_a_new_row_is_scored_by_all_autoencoders():
    new = table(seed=1)
    detector = fitted("squared_error")
    errors = [ae.reconstruction_error(new) for ae in detector.autoencoders_]
    np.testing.assert_allclose(-detector.score_samples(new), np.mean(errors, axis=0))


def test_scaled_errors_are_relative_to_those_of_rows_not_trained_on():
    X, new = table(), table(seed=1)
    folds = folds_of(fitted("squared_error"), X)
    detector = fitted("scaled_error")
    scale = np.zeros(6)
    for fold, autoencoder in enumerate(detector.autoencoders_):
        own = X[folds == fold]
        rebuilt = autoencoder.inverse_transform(autoencoder.transform(own))
        scale += np.square(rebuilt - own).sum(axis=0) / len(X)
    np.testing.assert_allclose(detector.error_scale_, scale)
    squares = np.mean(
        [np.square(ae.inverse_transform(ae.transform(new)) - new) for ae in detector.autoencoders_],
        axis=0,
    )
    np.testing.assert_allclose(-detector.score_samples(new), (squares / scale).mean(axis=1))
    assert -detector.score_samples(X).mean() == pytest.approx(1)


def test_distances_of_codes_are_those_of_the_mahalanobis_metric():
    X, new = table(), table(seed=1)
    folds = folds_of(fitted("squared_error"), X)
    detector, errors = fitted("mahalanobis"), fitted("scaled_error").score_samples(new)
    distances = []
    for fold, autoencoder in enumerate(detector.autoencoders_):
        codes = autoencoder.transform(X[folds != fold])
        inverse = np.linalg.inv(np.cov(codes.T, bias=True))
        away = autoencoder.transform(new) - codes.mean(axis=0)
        distances.append([a @ inverse @ a for a in away])
    expected = errors - np.mean(distances, axis=0) / 6
    np.testing.assert_allclose(detector.score_samples(new), expected)
    assert -detector.score_samples(X).mean() == pytest.approx(1 + 2 / 6, abs=0.05)


def test_a_row_that_is_far_out_is_unusual_however_well_it_is_reconstructed():
    X = table() @ np.diag([9.0, 7, 5, 1e-3, 1e-3, 1e-3])
    pca = PCA(3).fit(X)
    far = pca.inverse_transform(6 * np.sqrt(pca.explained_variance_) * np.ones((1, 3)))
    start = small(3, max_iter=1, learning_rate_init=1e-12)
    by_errors = quick(start, criterion="squared_error").fit(X)
    assert by_errors.predict(far) == 1
    for criterion in ("combined", "mahalanobis"):
        assert quick(start, criterion=criterion).fit(X).predict(far) == -1


@pytest.mark.parametrize("criterion", ["combined", "mahalanobis"])
def test_codes_that_never_differ_add_nothing(criterion):
    X = table(30, n_features=3)
    start = small(9, max_iter=1, learning_rate_init=1e-12)
    with pytest.warns(UserWarning, match="fewer components"):
        detector = quick(start, criterion=criterion).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()


def test_combined_scores_are_those_of_four_views():
    X = table()
    detector = fitted("combined")
    for rows in (X, table(seed=1)):
        said = detector.explain(rows).views
        parts = [np.maximum(said[name] - 1, 0) for name in ("rows", "codes", "columns")]
        parts.append(said["surface"])
        np.testing.assert_allclose(detector.score_samples(rows), -np.linalg.norm(parts, axis=0))
    # Each is about exponential for rows not trained on, as logarithms of probabilities are.
    for name, one in detector.explain(X).views.items():
        assert one.mean() == pytest.approx(1, abs=0.15), name


def test_errors_and_distances_are_views_of_the_autoencoders_that_have_not_seen_a_row():
    X, new = table(), table(seed=1)
    detector = fitted("combined")
    tails = detector._views.tails
    errors = -fitted("scaled_error").score_samples(new)
    distances = np.mean(
        [
            near.distance(ae.transform(new))
            for near, ae in zip(detector._views.neighbors, detector.autoencoders_, strict=True)
        ],
        axis=0,
    )
    said = detector.explain(new).views
    np.testing.assert_allclose(said["surface"], -tails[0](errors))
    np.testing.assert_allclose(said["codes"], -tails[2](distances))
    apart = [
        np.linalg.norm(new[:, None] - X[~held_out], axis=2).min(axis=1)
        for held_out in detector._folds.unseen(X)
    ]
    np.testing.assert_allclose(said["rows"], -tails[1](np.mean(apart, axis=0)))
    own = -fitted("scaled_error").score_samples(X)
    np.testing.assert_allclose(detector.explain(X).views["surface"], -tails[0](own))


def test_an_explanation_names_the_column_that_was_changed_and_what_it_was():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    detector = quick(small(10), criterion="combined").fit(X[:400])
    new = X[400:500].copy()
    places = np.arange(100), np.random.RandomState(0).randint(0, 30, 100)
    new[places] += 6 * np.where(new[places] > 0, 1, -1)
    explanation = detector.explain(new)
    assert (explanation.top_columns(1)[:, 0] == places[1]).mean() > 0.9
    rebuilt = np.mean(
        [a.inverse_transform(a.transform(new)) for a in detector.autoencoders_], axis=0
    )
    np.testing.assert_allclose(explanation.expected, rebuilt)
    assert list(explanation.feature_names[:2]) == ["x0", "x1"]


def test_another_criterion_has_no_views_to_explain():
    with pytest.raises(ValueError, match="per_feature=True"):
        fitted("scaled_error").explain(table())


def test_few_p_values_of_rows_like_those_of_the_fit_are_small():
    normal = np.random.RandomState(0).normal
    detector = quick(criterion="combined").fit(normal(size=(600, 4)))
    p_values = detector.score_p_values(normal(size=(2000, 4)))
    assert 0 < p_values.min() < p_values.max() <= 1
    for level in (0.01, 0.05, 0.2):
        # Of the rows of the fit, too, the share varies, by about sqrt(level / 600).
        assert (p_values <= level).mean() <= level + 3 * np.sqrt(level / 600)
    assert detector.score_p_values(np.full((1, 4), 50.0))[0] == pytest.approx(1 / 601)


def test_the_share_of_false_alarms_among_many_rows_can_be_held():
    random = np.random.RandomState(0)
    shares = []
    for _ in range(6):
        detector = quick(criterion="combined").fit(random.normal(size=(500, 4)))
        new = random.normal(size=(300, 4))
        new[:30] += 8
        found = false_discovery_control(detector.score_p_values(new)) <= 0.1
        assert found[:30].mean() > 0.9
        shares.append(found[30:].sum() / found.sum())
    assert np.mean(shares) <= 0.1


def test_likelihoods_are_averaged_over_the_autoencoders_that_have_not_seen_a_row():
    X, new = table(), table(seed=1)
    detector = quick(
        VariationalAutoencoderTransformer(2, max_iter=3, hidden_layer_sizes=8),
        criterion="log_likelihood",
    ).fit(X)
    likelihoods = np.array([ae.score_samples(new) for ae in detector.autoencoders_])
    np.testing.assert_allclose(detector.score_samples(new), likelihoods.mean(axis=0))
    seen = np.array([ae.score_samples(X) for ae in detector.autoencoders_])
    distance = np.abs(seen - detector.score_samples(X))
    assert distance.min(axis=0).max() < 1e-9


@pytest.mark.parametrize("criterion", ["scaled_error", "squared_error"])
def test_errors_of_values_add_up_to_those_of_rows(criterion):
    detector = fitted(criterion)
    for X in (table(), table(seed=1)):
        parts = detector.reconstruction_error(X, per_feature=True)
        assert parts.shape == X.shape
        np.testing.assert_allclose(parts.sum(axis=1), detector.reconstruction_error(X))
        np.testing.assert_array_equal(detector.score_samples(X), -detector.reconstruction_error(X))


def test_errors_of_values_tell_the_column_that_makes_a_row_unusual():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    detector = quick(small(10)).fit(X[:400])
    new, column = X[400:].copy(), 3
    new[:, column] += 6
    parts = detector.reconstruction_error(new, per_feature=True)
    assert (parts.argmax(axis=1) == column).mean() > 0.9


def test_large_tables_are_scored_piece_by_piece(monkeypatch):
    X = table()
    whole = fitted().score_samples(X)
    monkeypatch.setattr("skae._outlier_scores.ERROR_VALUES", 50)
    np.testing.assert_allclose(quick().fit(X).score_samples(X), whole)


def test_scores_do_not_depend_on_the_other_rows():
    X = table()
    one_by_one = [fitted().score_samples(X[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(one_by_one, fitted().score_samples(X)[:20])


def test_single_precision_rows_are_recognized():
    X = table().astype(np.float32)
    detector = quick().fit(X)
    scores = detector.score_samples(X)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(
        detector.score_samples(X.astype(float)), scores, rtol=1e-3, atol=1e-6
    )
    assert (detector.predict(X) == -1).sum() == 20


def test_sparse_rows_give_what_dense_ones_give():
    X = table() * (np.random.RandomState(0).uniform(size=(200, 6)) < 0.5)
    dense, sparse = quick().fit(X), quick().fit(sp.csr_array(X))
    np.testing.assert_allclose(sparse.score_samples(sp.coo_array(X)), dense.score_samples(X))
    assert sparse.offset_ == pytest.approx(dense.offset_)


def test_rows_are_judged_alike_however_they_are_stored():
    X = table() + 3
    dense, sparse = quick().fit(X), quick().fit(sp.csr_array(X))
    for detector in (dense, sparse):
        scores = [detector.score_samples(some) for some in (X, sp.csr_array(X))]
        np.testing.assert_allclose(*scores)
    holey = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.2, np.nan, X)
    holey[:, 0] = X[:, 0]
    default = AutoencoderOutlierDetector(random_state=0).fit(sp.csr_array(X))
    assert np.isfinite(default.score_samples(holey)).all()


def test_zeros_that_are_stored_change_nothing():
    X = sp.csr_array(table() * (table(seed=5) > 0))
    twice = sp.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape
    )
    detector = quick().fit(X)
    np.testing.assert_allclose(detector.score_samples(twice), detector.score_samples(X))


def test_a_pickled_detector_gives_the_same_scores():
    X = table()
    detector = pickle.loads(pickle.dumps(fitted()))
    np.testing.assert_array_equal(detector.score_samples(X), fitted().score_samples(X))


# The threshold


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5])
def test_the_share_of_outliers_among_the_rows_of_X_is_the_one_asked_for(contamination):
    X = table()
    predicted = quick(contamination=contamination).fit_predict(X)
    assert (predicted == -1).sum() == 200 * contamination


def test_who_does_not_know_the_share_has_the_rows_of_small_p_values():
    X, new = table(400), table(1000, seed=1)
    strange = np.random.RandomState(2).permutation(new.ravel()).reshape(new.shape) * 2
    detector = quick(contamination="auto").fit(X)
    for rows in (X, new, strange):
        expected = detector.score_p_values(rows) <= 0.05
        np.testing.assert_array_equal(detector.predict(rows) == -1, expected)
    mixed = quick(contamination="auto").fit(np.concatenate([X, strange[:15]]))
    assert (mixed.predict(new) == -1).mean() < 0.05  # outliers of the fit make it fewer
    assert (mixed.predict(strange[15:]) == -1).mean() > 0.5


@pytest.mark.slow
def test_automatic_thresholds_raise_one_false_alarm_in_twenty_on_average():
    alarms, parameters = [], {"contamination": "auto", "criterion": "squared_error"}
    for seed in range(16):
        X, new = np.split(table(819, seed=seed), [119])
        detector = quick(small(2, max_iter=1), random_state=seed, **parameters).fit(X)
        alarms.append((detector.predict(new) == -1).mean())
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.015)  # the error of the mean is 0.005


def test_at_least_one_row_is_an_outlier():
    assert (quick(contamination=1e-9).fit_predict(table()) == -1).sum() == 1


def test_the_decision_changes_sign_at_the_threshold():
    X = table(seed=1)
    detector = fitted()
    decision = detector.decision_function(X)
    np.testing.assert_array_equal(decision, detector.score_samples(X) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X), np.where(decision < 0, -1, 1))


def overfitted(n_components=8):
    return small(n_components, hidden_layer_sizes=64, max_iter=40, learning_rate_init=0.01)


@pytest.mark.slow
def test_new_rows_raise_as_many_alarms_as_are_asked_for():
    # Where a threshold from the errors of rows that were trained on raises several times more.
    honest, naive = [], []
    for seed in range(3):
        X, new = np.split(table(1200, n_features=30, seed=seed), [200])
        detector = quick(overfitted(), n_folds=5, random_state=seed).fit(X)
        honest.append((detector.predict(new) == -1).mean())
        autoencoder = overfitted().set_params(random_state=seed).fit(X)
        threshold = np.quantile(autoencoder.reconstruction_error(X), 0.9)
        naive.append((autoencoder.reconstruction_error(new) > threshold).mean())
    assert 0.07 < np.mean(honest) < 0.13
    assert np.mean(naive) > 0.25


@pytest.mark.slow
def test_outliers_among_the_rows_of_X_are_not_learnt_by_heart():
    inliers, random = table(190, n_features=30), np.random.RandomState(0)
    outliers = np.column_stack([random.permutation(column) for column in inliers.T])[:10]
    X = np.vstack([inliers, outliers])
    y = np.repeat([0, 1], [190, 10])
    by_heart = overfitted().set_params(random_state=0).fit(X)
    detector = quick(overfitted()).fit(X)
    honest = roc_auc_score(y, -detector.score_samples(X))
    assert honest > 0.85
    assert honest > roc_auc_score(y, by_heart.reconstruction_error(X)) + 0.1


# The default


def test_the_default_autoencoder_has_the_codes_that_pca_needs_for_half_of_the_variance():
    X = load_digits().data[:120]
    detector = AutoencoderOutlierDetector(n_folds=2, random_state=0).fit(X)
    n_codes = PCA(0.5).fit(X).n_components_
    assert {autoencoder.n_components for autoencoder in detector.autoencoders_} == {n_codes}


def test_the_default_autoencoder_has_fewer_codes_than_columns():
    X = table(40, n_features=2)
    detector = AutoencoderOutlierDetector(n_folds=2, random_state=0).fit(X)
    assert detector.autoencoders_[0].n_components == 1


@pytest.mark.parametrize(("n_rows", "n_epochs"), [(100, 20), (50_000, 10), (10**6, 5)])
def test_of_many_rows_the_default_sees_each_less_often(n_rows, n_epochs):
    X, indices = table(100), np.arange(n_rows) % 100
    template = AutoencoderOutlierDetector()._template(X, indices, np.ones(n_rows))
    assert template.max_iter == n_epochs


def test_digits_that_were_not_in_X_are_found():
    X, y = load_digits(return_X_y=True)
    zeros = X[y == 0]
    detector = AutoencoderOutlierDetector(n_folds=3, random_state=0).fit(zeros[:120])
    scores = detector.score_samples(np.vstack([zeros[120:], X[y > 0]]))
    known = np.repeat([1, 0], [len(zeros) - 120, (y > 0).sum()])
    assert roc_auc_score(known, scores) > 0.98


# Randomness, weights


def test_the_same_seed_gives_the_same_bits_in_any_order_of_rows():
    X, new = table(), table(seed=1)
    order = np.random.RandomState(0).permutation(len(X))
    np.testing.assert_array_equal(
        quick().fit(X[order]).score_samples(new), fitted().score_samples(new)
    )
    other = quick(random_state=1).fit(X)
    assert not np.array_equal(other.score_samples(new), fitted().score_samples(new))


@pytest.mark.parametrize("seed", [None, 0])
def test_the_autoencoders_may_have_a_seed_of_their_own(seed):
    X, new = table(), table(seed=1)
    scores = [
        quick(small(2, random_state=own), random_state=seed).fit(X).score_samples(new)
        for own in (7, 7, 8)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_the_callers_generators_are_left_alone():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    quick(random_state=None).fit(table())
    AutoencoderOutlierDetector(n_folds=2).fit(table(40)).predict(table(40))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_weight_of_two_is_the_row_twice():
    X, new = table(), table(seed=1)
    weight = np.random.RandomState(0).randint(0, 3, len(X))
    weighted = quick().fit(X, sample_weight=weight)
    repeated = quick().fit(np.repeat(X, weight, axis=0))
    np.testing.assert_array_equal(weighted.score_samples(new), repeated.score_samples(new))
    assert weighted.offset_ == repeated.offset_
    share = weight[weighted.predict(X) == -1].sum() / weight.sum()
    assert share == pytest.approx(0.1, abs=1 / weight.sum())


def test_a_row_and_its_copy_are_never_on_both_sides_of_a_split():
    X = table(60)
    detector = quick(overfitted()).fit(np.vstack([X, X]))
    error = detector.reconstruction_error(X).mean()
    assert detector.reconstruction_error(table(60, seed=1)).mean() < 2 * error


# Together with scikit-learn, and with other autoencoders


def test_parameters_of_the_autoencoder_are_found_by_a_grid_search():
    X, y = table(), np.ones(200)
    X[::20] = table(10, seed=1)[:, ::-1] * 2
    y[::20] = -1
    pipeline = Pipeline([("scale", StandardScaler()), ("detector", quick())])
    grid = {"detector__autoencoder__n_components": [1, 2], "detector__contamination": [0.05, 0.1]}
    search = GridSearchCV(pipeline, grid, scoring="roc_auc", cv=2, error_score="raise").fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert len(search.best_estimator_[-1].autoencoders_) == 3


def test_columns_may_have_names():
    frame = pd.DataFrame(table(), columns=list("abcdef"))
    frame["a"] = (frame["a"] > 0).astype(float)
    loss = {"log_loss": ["a"], "squared_error": list("bcdef")}
    detector = quick(small(2, loss=loss)).fit(frame)
    assert list(detector.feature_names_in_) == list("abcdef")
    assert (detector.predict(frame) == -1).sum() == 20
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(frame[list("bacdef")])


def test_missing_values_count_no_error():
    X = table()
    X[np.random.RandomState(0).uniform(size=X.shape) < 0.1] = np.nan
    detector = quick(small(2, missing="mask")).fit(X)
    assert (detector.predict(X) == -1).sum() == 20
    parts = detector.reconstruction_error(X, per_feature=True)
    assert (parts[np.isnan(X)] == 0).all()
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(X)


def test_images_are_judged_by_a_convolutional_autoencoder():
    X, y = load_digits(return_X_y=True)
    autoencoder = ConvolutionalAutoencoderTransformer(
        2, image_shape=(1, 8, 8), early_stopping=False, max_iter=2
    )
    detector = quick(autoencoder, n_folds=2).fit(X[y == 0])
    assert (detector.predict(X[y != 0]) == -1).mean() > 0.8


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    n_samples=st.integers(4, 30),
    n_features=st.integers(3, 5),
    n_folds=st.integers(2, 6),
    contamination=st.floats(0.01, 0.5),
    criterion=st.sampled_from(["mahalanobis", "scaled_error", "squared_error"]),
    constant=st.booleans(),
    seed=st.integers(0, 100),
)
def test_any_small_table_can_be_fitted(
    n_samples, n_features, n_folds, contamination, criterion, constant, seed
):
    X = np.random.RandomState(seed).normal(size=(n_samples, n_features))
    if constant:
        X[:, 0] = 3
    detector = AutoencoderOutlierDetector(
        small(max_iter=1),
        n_folds=n_folds,
        contamination=contamination,
        criterion=criterion,
        random_state=seed,
    )
    n_flagged = (detector.fit_predict(X) == -1).sum()
    assert n_flagged == pytest.approx(max(1, contamination * n_samples), abs=0.5 + 1e-9)
    assert len(detector.autoencoders_) == min(n_folds, n_samples)
    assert np.isfinite(detector.score_samples(X + 1)).all()


def test_a_constant_column_that_changes_is_unusual():
    X = table()
    X[:, 0] = 3
    new = table(seed=1)
    new[:, 0] = 3
    detector = quick().fit(X)
    changed = new.copy()
    changed[:, 0] += 1
    assert (detector.score_samples(changed) < detector.score_samples(new)).all()


def test_codes_that_leave_no_error_are_warned_of():
    X = np.repeat(np.arange(20.0)[:, None], 3, axis=1) * [1, 2, 3]
    detector = quick(small(1, max_iter=1, learning_rate_init=1e-12))
    with pytest.warns(UserWarning, match="fewer components") as caught:
        detector.fit(X)
    assert caught[0].filename == __file__
    assert np.isfinite(detector.decision_function(X)).all()


# What is refused


def test_few_rows_are_refused():
    with pytest.raises(ValueError, match="1 would be left to train on without one of 2 folds"):
        quick().fit([[0, 1], [1, 2], [0, 1]])


def test_a_single_column_needs_an_autoencoder_of_its_own():
    X = table()[:, :1]
    with pytest.raises(ValueError, match="n_features=1"):
        AutoencoderOutlierDetector().fit(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"criterion": "log_likelihood"}, "needs an autoencoder that is a density"),
        ({"contamination": 0.6}, "contamination"),
        ({"n_folds": 1}, "n_folds"),
        ({"criterion": "error"}, "criterion"),
        ({"autoencoder": PCA(2)}, "autoencoder"),
        ({"autoencoder": small(0)}, "n_components"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_parameters_without_sense_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderOutlierDetector(**parameters).fit(table())


def test_a_failed_fit_leaves_the_detector_as_it_was():
    X = table()
    detector = quick().fit(X)
    before = detector.score_samples(X)
    detector.set_params(autoencoder__n_components=0)
    with pytest.raises(ValueError, match="n_components"):
        detector.fit(X[:, :3])
    np.testing.assert_array_equal(detector.score_samples(X), before)


def test_another_criterion_leaves_nothing_of_the_first():
    detector = quick()
    for criterion in ("combined", "mahalanobis", "squared_error", "combined"):
        detector.set_params(criterion=criterion).fit(table())
        assert vars(detector).keys() == vars(clone(detector).fit(table())).keys()
        assert hasattr(detector, "error_scale_") == (criterion != "squared_error")


@pytest.mark.parametrize("method", ["predict", "decision_function", "reconstruction_error"])
def test_an_unfitted_detector_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(table())


# Rows with holes, and rows that belong together


@pytest.mark.parametrize("autoencoder", [None, small(missing="mask", noise="masking")])
def test_complete_and_half_empty_rows_are_flagged_alike(autoencoder):
    random = np.random.RandomState(0)
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    holes = np.where(random.uniform(size=X.shape) < 0.2, np.nan, X)
    detector = AutoencoderOutlierDetector(autoencoder, random_state=0).fit(holes)
    assert (detector.predict(holes) == -1).mean() == pytest.approx(0.1, abs=0.002)
    for share in (0.0, 0.2, 0.5, 0.8):
        new = np.where(random.uniform(size=X.shape) < share, np.nan, X + 1e-9)
        assert 0.05 < (detector.predict(new) == -1).mean() < 0.15, share


def test_a_corrupted_row_is_flagged_though_half_of_it_is_missing():
    random = np.random.RandomState(0)
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    shuffled = np.stack([random.permutation(column) for column in X.T], axis=1)
    half = random.uniform(size=X.shape) < 0.5
    flagged = [
        (detector.predict(np.where(half, np.nan, rows)) == -1).mean()
        for rows in (X + 1e-9, shuffled)
    ]
    assert flagged[1] > 4 * flagged[0]


def test_errors_by_column_add_up_and_count_known_values_only():
    X = table()
    detector = quick(small(missing="mask")).fit(X)
    holes = X + 1e-9
    holes[:, 1] = np.nan
    parts = detector.reconstruction_error(holes, per_feature=True)
    assert (parts[:, 1] == 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), detector.reconstruction_error(holes))
    of_known = [ae.reconstruction_error(holes, per_feature=True) for ae in detector.autoencoders_]
    scaled = np.mean(of_known, axis=0) / detector.error_scale_
    expected = scaled[:, [j for j in range(X.shape[1]) if j != 1]].mean(axis=1)
    np.testing.assert_allclose(detector.reconstruction_error(holes), expected)


@pytest.mark.parametrize("when", ["fit", "predict"])
def test_a_row_without_any_value_is_refused(when):
    X = table()
    empty = X.copy()
    empty[7] = np.nan
    detector = quick(small(missing="mask"))
    with pytest.raises(ValueError, match="no known value in row 7"):
        getattr(detector.fit(X) if when == "predict" else detector, when)(empty)


def test_rows_of_a_group_are_judged_by_networks_that_have_not_seen_the_group():
    X = table()
    groups = np.repeat(np.arange(20), 10)
    order = np.random.RandomState(0).permutation(200)
    detector = quick().fit(X[order], groups=groups[order])
    unseen = detector._folds.unseen(X)
    assert (unseen.sum(axis=0) == 1).all()
    for group in range(20):
        assert len({tuple(column) for column in unseen[:, groups == group].T}) == 1


def test_folds_may_be_those_of_a_splitter():
    X = table()
    fold = np.arange(200) // 50
    detector = quick(n_folds=PredefinedSplit(fold)).fit(X)
    assert len(detector.autoencoders_) == 4
    np.testing.assert_array_equal(detector._folds.unseen(X), fold == np.arange(4)[:, None])
    with pytest.raises(ValueError, match="out of no fold"):
        quick(n_folds=TimeSeriesSplit(3)).fit(X)


def test_clean_targets_are_refused_and_labels_ignored():
    X = table()
    with pytest.raises(ValueError, match="does not learn from pairs"):
        quick().fit(X + 1, X)
    quick().fit(X, np.ones(200))


def test_errors_by_column_keep_their_names():
    frame = pd.DataFrame(table(), columns=list("abcdef"))
    detector = quick().set_output(transform="pandas").fit(frame)
    errors = detector.reconstruction_error(frame, per_feature=True)
    assert list(errors.columns) == list("abcdef")
    assert isinstance(detector.reconstruction_error(frame), np.ndarray)
    assert isinstance(quick().fit(frame).reconstruction_error(frame, per_feature=True), np.ndarray)


@pytest.mark.parametrize(
    "autoencoder", [small(missing="mask"), small().set_output(transform="pandas")]
)
def test_a_container_that_is_configured_for_all_changes_no_score(autoencoder):
    frame = pd.DataFrame(table(), columns=list("abcdef"))
    expected = quick(small(missing="mask")).fit(frame).score_samples(frame)
    with config_context(transform_output="pandas"):
        scores = quick(autoencoder).fit(frame).score_samples(frame)
    np.testing.assert_array_equal(scores, expected)
