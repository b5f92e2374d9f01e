"""The metrics against plain loops, scikit-learn and their own definitions."""

import pickle
import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csr_array
from sklearn import manifold
from sklearn.base import clone
from sklearn.cross_decomposition import CCA
from sklearn.datasets import load_iris
from sklearn.decomposition import NMF, PCA, KernelPCA, TruncatedSVD
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skae import AutoencoderTransformer, metrics
from skae.metrics import (
    code_agreement,
    continuity,
    knn_accuracy,
    labeled_scorer,
    linear_probe_accuracy,
    neg_reconstruction_error_scorer,
    neighbor_recall,
    pairwise_distance_correlation,
    reconstruction_error,
    reconstruction_error_samples,
    reconstruction_r2,
    reconstruction_r2_scorer,
    trustworthiness,
    uniform_reconstruction_r2_scorer,
)

RECONSTRUCTION_METRICS = [reconstruction_r2, reconstruction_error, reconstruction_error_samples]
SCORERS = [
    reconstruction_r2_scorer,
    uniform_reconstruction_r2_scorer,
    neg_reconstruction_error_scorer,
]
NEIGHBORHOOD_METRICS = [trustworthiness, continuity, neighbor_recall]
PROBES = [knn_accuracy, linear_probe_accuracy]


@pytest.fixture
def pair():
    """Ten rows, a reconstruction of them and weights of which one is zero."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10, 4)) * [1.0, 2.0, 5.0, 0.1]
    sample_weight = rng.uniform(size=10)
    sample_weight[3] = 0.0
    return X, X + 0.3 * rng.normal(size=X.shape), sample_weight


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def small_blocks(monkeypatch):
    """Make every metric work in blocks of a few rows."""
    monkeypatch.setattr(metrics, "BLOCK_SIZE", 12)


# Reconstructions


def loop_r2(X, X_reconstructed, sample_weight):
    """1 - residual / total, number by number."""
    n_samples, n_features = X.shape
    residual = total = 0.0
    for j in range(n_features):
        mean = sum(sample_weight[i] * X[i, j] for i in range(n_samples)) / sum(sample_weight)
        for i in range(n_samples):
            residual += sample_weight[i] * (X[i, j] - X_reconstructed[i, j]) ** 2
            total += sample_weight[i] * (X[i, j] - mean) ** 2
    return 1 - residual / total


def test_r2_is_the_plain_loop(pair):
    X, X_reconstructed, sample_weight = pair
    assert_allclose(
        reconstruction_r2(X, X_reconstructed, sample_weight=sample_weight),
        loop_r2(X, X_reconstructed, sample_weight),
    )
    assert_allclose(reconstruction_r2(X, X_reconstructed), loop_r2(X, X_reconstructed, np.ones(10)))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_r2_is_the_variance_weighted_r2_score(data):
    shape = (data.draw(st.integers(2, 8)), data.draw(st.integers(1, 4)))
    numbers = st.floats(-100, 100, width=32)
    X = data.draw(arrays(float, shape, elements=numbers))
    # r2_score gives constant columns no weight, and rounding makes a constant one look as if not.
    X[0] += 150.0
    X_reconstructed = data.draw(arrays(float, shape, elements=numbers))
    sample_weight = data.draw(arrays(float, shape[0], elements=st.floats(0.1, 10)))
    assert_allclose(
        reconstruction_r2(X, X_reconstructed, sample_weight=sample_weight),
        r2_score(X, X_reconstructed, sample_weight=sample_weight, multioutput="variance_weighted"),
        rtol=1e-7,
        atol=1e-9,
    )


def test_r2_of_pca_is_its_explained_variance_ratio(iris):
    X, _ = iris
    pca = PCA(n_components=2).fit(X)
    assert_allclose(
        reconstruction_r2(X, pca.inverse_transform(pca.transform(X))),
        pca.explained_variance_ratio_.sum(),
    )


def test_r2_of_the_column_means_is_zero(iris):
    X, _ = iris
    assert_allclose(reconstruction_r2(X, np.broadcast_to(X.mean(axis=0), X.shape)), 0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-1e6, 1e6),
    arrays(float, 7, elements=st.floats(0, 10)).filter(lambda weights: weights.any()),
)
def test_r2_of_constant_columns_is_one_if_exact_and_else_zero(value, sample_weight):
    X = np.full((7, 2), value)
    assert reconstruction_r2(X, X, sample_weight=sample_weight) == 1.0
    assert reconstruction_r2(X, X + 1.0, sample_weight=sample_weight) == 0.0


def test_an_error_in_a_constant_column_counts():
    X = np.array([[0.0, 0.1], [1.0, 0.1], [2.0, 0.1]])
    X_reconstructed = X + np.array([0.0, 1.0])
    assert_allclose(reconstruction_r2(X, X_reconstructed), 1 - 3 / 2)


def test_r2_of_a_single_row_is_undefined():
    with pytest.warns(UndefinedMetricWarning, match="single row") as warned:
        assert np.isnan(reconstruction_r2([[1.0, 2.0]], [[1.0, 2.0]]))
    assert warned[0].filename == __file__


def test_r2_does_not_suffer_from_a_distant_origin(pair):
    X, X_reconstructed, _ = pair
    # Steps of 1/4 stay exact at 2**40, so only the arithmetic of the metric could change the value.
    X, X_reconstructed = np.round(X * 4) / 4, np.round(X_reconstructed * 4) / 4
    assert reconstruction_r2(X + 2.0**40, X_reconstructed + 2.0**40) == pytest.approx(
        reconstruction_r2(X, X_reconstructed), rel=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_r2_puts_columns_together_as_r2_score_does(data):
    shape = (data.draw(st.integers(2, 8)), data.draw(st.integers(2, 4)))
    X = data.draw(arrays(float, shape, elements=st.integers(-3, 3)))  # some columns are constant
    X_reconstructed = data.draw(arrays(float, shape, elements=st.integers(-3, 3)))
    sample_weight = data.draw(arrays(float, shape[0], elements=st.sampled_from([0.5, 1.0, 2.0])))
    weights = data.draw(arrays(float, shape[1], elements=st.sampled_from([0.5, 1.0, 3.0])))
    for multioutput in ("uniform_average", "raw_values", weights, list(weights)):
        kwargs = {"sample_weight": sample_weight, "multioutput": multioutput}
        assert_allclose(
            reconstruction_r2(X, X_reconstructed, **kwargs),
            r2_score(X, X_reconstructed, **kwargs),
            rtol=1e-7,
            atol=1e-9,
        )


def test_the_uniform_average_is_the_r2_of_standardized_rows(pair):
    X, X_reconstructed, sample_weight = pair
    scaler = StandardScaler().fit(X, sample_weight=sample_weight)
    assert_allclose(
        reconstruction_r2(
            X, X_reconstructed, sample_weight=sample_weight, multioutput="uniform_average"
        ),
        reconstruction_r2(
            scaler.transform(X), scaler.transform(X_reconstructed), sample_weight=sample_weight
        ),
    )


@pytest.mark.parametrize(
    ("multioutput", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\), but X has 4 columns"),
        ([0.0, 0.0, 0.0, 0.0], "add up to zero"),
        ("variance", "multioutput"),
    ],
)
def test_weights_of_columns_that_make_no_mean_are_errors(pair, multioutput, message):
    with pytest.raises(ValueError, match=message):
        reconstruction_r2(*pair[:2], multioutput=multioutput)


def test_error_is_mean_squared_error(pair):
    X, X_reconstructed, sample_weight = pair
    for multioutput in ("uniform_average", "raw_values"):
        assert_allclose(
            reconstruction_error(
                X, X_reconstructed, sample_weight=sample_weight, multioutput=multioutput
            ),
            mean_squared_error(
                X, X_reconstructed, sample_weight=sample_weight, multioutput=multioutput
            ),
        )


def test_error_of_samples_is_the_plain_loop(pair):
    X, X_reconstructed, _ = pair
    expected = [
        sum((a - b) ** 2 for a, b in zip(row, row_reconstructed, strict=True))
        for row, row_reconstructed in zip(X, X_reconstructed, strict=True)
    ]
    errors = reconstruction_error_samples(X, X_reconstructed)
    assert_allclose(errors, expected)
    assert_allclose(errors.mean(), reconstruction_error(X, X_reconstructed) * X.shape[1])


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_blocks_do_not_change_the_value(metric, pair, monkeypatch):
    X, X_reconstructed, _ = pair
    whole = metric(X, X_reconstructed)
    small_blocks(monkeypatch)
    assert_allclose(metric(X, X_reconstructed), whole, rtol=1e-13)


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
@pytest.mark.parametrize("container", [csr_array, csc_array, pd.DataFrame, np.ndarray.tolist])
def test_containers_hold_the_same_numbers(metric, container, pair):
    X, X_reconstructed, _ = pair
    X = np.where(np.abs(X) < 1, 0.0, X)
    expected = metric(X, X_reconstructed)
    assert_array_equal(metric(container(X), X_reconstructed), expected)
    assert_array_equal(metric(container(X), container(X_reconstructed)), expected)


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_a_sparse_matrix_is_never_dense_as_a_whole(metric):
    X = csr_array(([1.0, 2.0], ([0, 9_000], [5, 700])), shape=(10_000, 1_000))
    tracemalloc.start()
    metric(X, X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000 * 1_000 * 8


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_small_integers_do_not_wrap_around(metric):
    X = np.array([[0, 255], [10, 20]], dtype=np.uint8)
    X_reconstructed = X[::-1]
    assert_array_equal(
        metric(X, X_reconstructed), metric(X.astype(float), X_reconstructed.astype(float))
    )


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_float32_is_summed_as_float64(metric):
    X = np.full((2000, 50), 0.1, dtype=np.float32)
    X[0] = 1.0
    X_reconstructed = X + np.float32(1e-3)
    assert_allclose(
        metric(X, X_reconstructed),
        metric(X.astype(float), X_reconstructed.astype(float)),
        rtol=1e-14,
    )


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_a_reconstruction_of_another_shape_is_an_error_that_names_both(metric):
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(3, 2\)"):
        metric(np.zeros((3, 4)), np.zeros((3, 2)))


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_a_value_that_is_no_number_is_an_error_that_names_the_argument(metric):
    X = np.zeros((3, 4))
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"Input X_reconstructed contains"):
            metric(X, np.full((3, 4), value))
    with pytest.raises(ValueError, match=r"Input X contains"):
        metric(np.full((3, 4), np.inf), X)


@pytest.mark.parametrize("metric", [reconstruction_r2, reconstruction_error])
@pytest.mark.parametrize("sample_weight", [[0.0, 0.0], [1.0, -1.0], [1.0], [1.0, np.nan]])
def test_weights_that_make_no_mean_are_errors(metric, sample_weight):
    with pytest.raises(ValueError, match="weight"):
        metric(np.eye(2), np.eye(2), sample_weight=sample_weight)


@pytest.mark.parametrize("metric", [reconstruction_r2, reconstruction_error])
def test_a_weight_is_a_number_of_repetitions(metric, pair):
    X, X_reconstructed, _ = pair
    times = np.array([0, 1, 2, 3, 0, 1, 1, 4, 1, 2])
    assert_allclose(
        metric(X, X_reconstructed, sample_weight=times),
        metric(X.repeat(times, axis=0), X_reconstructed.repeat(times, axis=0)),
    )


# Missing values


@pytest.fixture
def holes(pair):
    """The pair with a fifth of the values missing, and a row and a column without any."""
    X, X_reconstructed, sample_weight = pair
    X = np.where(np.random.default_rng(1).uniform(size=X.shape) < 0.2, np.nan, X)
    X[4], X[:, 2] = np.nan, np.nan
    return X, X_reconstructed, sample_weight


@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_missing_counts_neither_as_variance_nor_as_error(holes, weighted):
    X, X_reconstructed, sample_weight = holes
    sample_weight = sample_weight if weighted else np.ones(10)
    residual, total, errors = [], [], []
    for x, x_reconstructed in zip(X.T, X_reconstructed.T, strict=True):
        known = ~np.isnan(x)
        if not known.any():
            continue
        w, x, x_reconstructed = sample_weight[known], x[known], x_reconstructed[known]
        residual.append(w @ (x - x_reconstructed) ** 2)
        total.append(w @ (x - np.average(x, weights=w)) ** 2)
        errors.append(np.average((x - x_reconstructed) ** 2, weights=w))
    r2 = partial(reconstruction_r2, X, X_reconstructed, sample_weight=sample_weight)
    error = partial(reconstruction_error, X, X_reconstructed, sample_weight=sample_weight)
    columns = 1 - np.divide(residual, total)

    assert_allclose(r2(), 1 - sum(residual) / sum(total))
    assert_allclose(r2(multioutput="uniform_average"), columns.mean())
    assert_allclose(r2(multioutput="raw_values"), np.insert(columns, 2, np.nan))
    weights = [1.0, 2.0, 4.0, 8.0]
    expected = np.average(columns, weights=[1.0, 2.0, 8.0])
    assert_allclose(r2(multioutput=weights), expected)
    assert_allclose(error(), np.mean(errors))
    assert_allclose(error(multioutput="raw_values"), np.insert(errors, 2, np.nan))


def test_errors_of_rows_with_holes_are_those_of_their_values(holes):
    X, X_reconstructed, _ = holes
    expected = np.nansum((X - X_reconstructed) ** 2, axis=1)
    assert_allclose(reconstruction_error_samples(X, X_reconstructed), expected)


def test_r2_of_rows_with_holes_is_the_score_of_an_autoencoder(iris):
    X, _ = iris
    X = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.2, np.nan, X)
    autoencoder = AutoencoderTransformer(2, missing="mask", max_iter=2, early_stopping=False)
    autoencoder.fit(X)
    sample_weight = np.arange(len(X))
    for weight in (None, sample_weight):
        assert reconstruction_r2_scorer(autoencoder, X, sample_weight=weight) == pytest.approx(
            autoencoder.score(X, sample_weight=weight), rel=1e-5
        )


@pytest.mark.parametrize("metric", RECONSTRUCTION_METRICS)
def test_blocks_and_containers_do_not_change_the_value_of_rows_with_holes(
    metric, holes, monkeypatch
):
    X, X_reconstructed, _ = holes
    whole = metric(X, X_reconstructed)
    small_blocks(monkeypatch)
    for container in (np.asarray, csr_array, pd.DataFrame):
        assert_allclose(metric(container(X), X_reconstructed), whole, rtol=1e-13)


@pytest.mark.parametrize("metric", [reconstruction_r2, reconstruction_error])
def test_rows_without_any_value_are_an_error(metric):
    X = np.full((3, 2), np.nan)
    with pytest.raises(ValueError, match="X has no value"):
        metric(X, np.zeros((3, 2)))
    X[0] = 1.0
    with pytest.raises(ValueError, match="X has no value"):
        metric(X, np.zeros((3, 2)), sample_weight=[0.0, 1.0, 1.0])


# Scorers


@pytest.mark.parametrize(
    "transformer",
    [
        PCA(n_components=2),
        PCA(n_components=2, whiten=True),
        KernelPCA(n_components=2, kernel="rbf", fit_inverse_transform=True),
        NMF(n_components=2, init="nndsvda", max_iter=1000),
        TruncatedSVD(n_components=2),
        make_pipeline(StandardScaler(), PCA(n_components=2)),
        make_pipeline(StandardScaler(), PCA(n_components=2)).set_output(transform="pandas"),
    ],
    ids=lambda transformer: type(transformer).__name__,
)
def test_any_transformer_with_an_inverse_is_scored_in_the_units_of_X(transformer, iris):
    X, y = iris
    transformer = clone(transformer).fit(X)
    X_reconstructed = transformer.inverse_transform(transformer.transform(X))
    sample_weight = np.arange(len(X))

    assert reconstruction_r2_scorer(transformer, X) == reconstruction_r2(X, X_reconstructed)
    assert uniform_reconstruction_r2_scorer(transformer, X) == reconstruction_r2(
        X, X_reconstructed, multioutput="uniform_average"
    )
    assert neg_reconstruction_error_scorer(transformer, X) == -reconstruction_error(
        X, X_reconstructed
    )
    assert reconstruction_r2_scorer(transformer, X, y, sample_weight) == reconstruction_r2(
        X, X_reconstructed, sample_weight=sample_weight
    )
    assert neg_reconstruction_error_scorer(
        transformer, X, sample_weight=sample_weight
    ) == -reconstruction_error(X, X_reconstructed, sample_weight=sample_weight)


def test_sparse_rows_are_scored(iris):
    X, _ = iris
    svd = TruncatedSVD(n_components=2, random_state=0).fit(X)
    for scorer in SCORERS:
        assert_allclose(scorer(svd, csr_array(X)), scorer(svd, X))


def test_sparse_rows_are_rebuilt_a_block_at_a_time(monkeypatch):
    X = csr_array(np.random.default_rng(0).poisson(0.3, size=(40, 6)).astype(float))
    svd = TruncatedSVD(n_components=2, random_state=0).fit(X)
    svd.set_output(transform="pandas")
    expected = [scorer(svd, X) for scorer in SCORERS]
    small_blocks(monkeypatch)
    decoded = []

    class Watched(TruncatedSVD):
        def inverse_transform(self, X):
            decoded.append(len(X))
            return super().inverse_transform(X)

    svd.__class__ = Watched
    assert_allclose([scorer(svd, X) for scorer in SCORERS], expected)
    assert decoded == [2] * 20 * len(SCORERS)  # each row once, 12 numbers at a time


def test_a_decoder_of_another_width_is_an_error(iris):
    X, _ = iris
    svd = TruncatedSVD(n_components=2, random_state=0).fit(X[:, :3])
    svd.transform = TruncatedSVD(n_components=2).fit(X).transform
    for container in (csr_array, np.asarray):
        with pytest.raises(ValueError, match=r"\(150, 4\).*\(150, 3\)"):
            reconstruction_r2_scorer(svd, container(X))


def test_a_pipeline_that_scales_is_judged_as_its_last_step_is(iris):
    X, _ = iris
    X = X * [1.0, 1.0, 1000.0, 1.0]  # millimeters, say
    pipeline = make_pipeline(StandardScaler(), PCA(n_components=2)).fit(X)
    share = pipeline[-1].explained_variance_ratio_.sum()
    assert uniform_reconstruction_r2_scorer(pipeline, X) == pytest.approx(share)
    assert reconstruction_r2_scorer(pipeline, X) != pytest.approx(share, abs=0.01)


@pytest.mark.slow
def test_different_methods_compete_in_one_grid(iris):
    X, _ = iris
    pipeline = make_pipeline(StandardScaler(), "passthrough")
    candidates = [
        PCA(n_components=1),
        PCA(n_components=3),
        KernelPCA(n_components=3, kernel="rbf", fit_inverse_transform=True),
    ]
    search = GridSearchCV(
        pipeline, {"passthrough": candidates}, scoring=reconstruction_r2_scorer, cv=3, n_jobs=2
    ).fit(X)

    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["passthrough"].n_components == 3
    assert reconstruction_r2_scorer(search, X) == reconstruction_r2_scorer(
        search.best_estimator_, X
    )


def test_both_scorers_serve_in_one_cross_validation(iris):
    X, y = iris
    scoring = {"r2": reconstruction_r2_scorer, "error": neg_reconstruction_error_scorer}
    scores = cross_validate(PCA(n_components=2), X, y, scoring=scoring, cv=3)
    assert (scores["test_r2"] < 1).all()
    assert (scores["test_error"] < 0).all()


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_survive_a_pickle_and_a_clone_of_their_search(scorer):
    assert pickle.loads(pickle.dumps(scorer)) is scorer
    search = GridSearchCV(PCA(), {"n_components": [1, 2]}, scoring=scorer)
    assert clone(search).scoring is scorer


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize(
    "build", [Normalizer, lambda: make_pipeline(StandardScaler(), Normalizer())]
)
def test_a_transformer_without_inverse_is_an_error(scorer, build, iris):
    X, _ = iris
    with pytest.raises(TypeError, match="has no inverse_transform"):
        scorer(build().fit(X), X)


def test_an_estimator_that_does_not_transform_is_an_error(iris):
    with pytest.raises(TypeError, match="KNeighborsClassifier has no transform"):
        reconstruction_r2_scorer(KNeighborsClassifier().fit(*iris), iris[0])


# Neighborhoods


def loop_trustworthiness(distances, distances_embedded, k):
    """The definition, pair by pair; neighborhoods take ties by row, ranks share the smallest."""
    n = len(distances)
    excess = 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for j in sorted(others, key=lambda j: (distances_embedded[i][j], j))[:k]:
            rank = 1 + sum(distances[i][other] < distances[i][j] for other in others)
            excess += max(0, rank - k)
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))


def loop_recall(distances, distances_embedded, k):
    """The definition, row by row, with ties by row."""
    n_kept, n = 0, len(distances)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        near, kept = (
            set(sorted(others, key=lambda j: (d[i][j], j))[:k])
            for d in (distances, distances_embedded)
        )
        n_kept += len(near & kept)
    return n_kept / (n * k)


def loop_distances(X):
    """Squared Euclidean distances of rows of small integers, exact."""
    return [[int(((a - b) ** 2).sum()) for b in X] for a in X]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_neighborhood_metrics_are_the_plain_loop_even_with_ties(data):
    n_samples = data.draw(st.integers(3, 12))
    n_neighbors = data.draw(st.integers(1, (n_samples - 1) // 2))
    few_integers = st.integers(-3, 3)
    X = data.draw(arrays(np.int64, (n_samples, 3), elements=few_integers))
    X_embedded = data.draw(arrays(np.int64, (n_samples, 2), elements=few_integers))
    here, there = loop_distances(X), loop_distances(X_embedded)

    trust = trustworthiness(X, X_embedded, n_neighbors=n_neighbors)
    assert trust == pytest.approx(loop_trustworthiness(here, there, n_neighbors), abs=1e-12)
    assert -1e-12 <= trust <= 1
    assert continuity(X, X_embedded, n_neighbors=n_neighbors) == pytest.approx(
        loop_trustworthiness(there, here, n_neighbors), abs=1e-12
    )
    assert neighbor_recall(X, X_embedded, n_neighbors=n_neighbors) == pytest.approx(
        loop_recall(here, there, n_neighbors), abs=1e-12
    )


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("n_neighbors", [1, 5, 20])
def test_trustworthiness_is_that_of_scikit_learn(metric, n_neighbors):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    X_embedded = X[:, :2] + 0.1 * rng.normal(size=(60, 2))
    assert_allclose(
        trustworthiness(X, X_embedded, n_neighbors=n_neighbors, metric=metric),
        manifold.trustworthiness(X, X_embedded, n_neighbors=n_neighbors, metric=metric),
    )


@settings(max_examples=20, deadline=None)
@given(arrays(float, (9, 3), elements=st.floats(-10, 10)), st.floats(0.5, 2))
def test_a_scaled_copy_keeps_all_neighborhoods(X, scale):
    X = X + 100 * np.arange(9)[:, np.newaxis] ** 2  # no ties
    assert trustworthiness(X, scale * X, n_neighbors=4) == 1.0
    assert continuity(X, scale * X, n_neighbors=4) == 1.0
    assert neighbor_recall(X, scale * X, n_neighbors=4) == 1.0
    assert pairwise_distance_correlation(X, scale * X) == pytest.approx(1.0)


def test_folding_costs_trust_and_tearing_costs_continuity():
    rng = np.random.default_rng(0)
    line = np.sort(rng.uniform(-1, 1, size=(200, 1)), axis=0)
    folded = np.abs(line)
    angle = np.pi * (line + 1)
    circle = np.hstack([np.cos(angle), np.sin(angle)])

    assert trustworthiness(line, folded) < 0.9 < continuity(line, folded)
    assert continuity(circle, line) < trustworthiness(circle, line)


@pytest.mark.parametrize("metric", NEIGHBORHOOD_METRICS)
def test_neighborhoods_do_not_depend_on_blocks_containers_or_the_origin(metric, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(-8, 8, size=(40, 5))
    X_embedded = X[:, :2]
    expected = metric(X, X_embedded)
    assert metric(csr_array(X), pd.DataFrame(X_embedded)) == expected
    assert metric(X + 2.0**40, X_embedded - 2.0**40) == expected
    small_blocks(monkeypatch)
    assert metric(X, X_embedded) == expected


@pytest.mark.parametrize("metric", NEIGHBORHOOD_METRICS)
def test_neighborhood_metrics_leave_their_input_alone(metric):
    X = np.random.default_rng(0).normal(size=(12, 3))
    before = X.copy()
    metric(X, X)
    assert_array_equal(X, before)


@pytest.mark.parametrize("metric", NEIGHBORHOOD_METRICS)
def test_neighborhoods_that_make_no_sense_are_errors(metric):
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(ValueError, match=r"n_neighbors=5 must be less than n_samples / 2 = 5"):
        metric(X, X, n_neighbors=5)
    with pytest.raises(ValueError, match="n_neighbors"):
        metric(X, X, n_neighbors=0)
    with pytest.raises(ValueError, match=r"\(10, 3\).*\(9, 3\)"):
        metric(X, X[:9], n_neighbors=2)
    with pytest.raises(ValueError, match="Input X_embedded contains NaN"):
        metric(X, np.full((10, 2), np.nan), n_neighbors=2)
    with pytest.raises(ValueError, match="precomputed"):
        metric(X, X, n_neighbors=2, metric="precomputed")


@pytest.mark.parametrize("blocks", ["one", "many"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_the_correlation_of_distances_is_that_of_all_pairs_in_a_loop(metric, blocks, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    X_embedded = X[:, :2] + 0.5 * rng.normal(size=(30, 2))
    here, there = [], []
    for i in range(30):
        for j in range(i):
            difference = X[i] - X[j]
            is_euclidean = metric == "euclidean"
            here.append(
                np.sqrt((difference**2).sum()) if is_euclidean else np.abs(difference).sum()
            )
            there.append(np.sqrt(((X_embedded[i] - X_embedded[j]) ** 2).sum()))
    if blocks == "many":
        small_blocks(monkeypatch)
    for container in (np.asarray, csr_array):
        result = pairwise_distance_correlation(container(X), X_embedded, metric=metric)
        assert result == pytest.approx(np.corrcoef(here, there)[0, 1], abs=1e-12)


def test_distances_that_have_no_correlation_are_told():
    X = np.array([[0.0], [1.0], [3.0]])
    with pytest.warns(UndefinedMetricWarning, match="All distances are equal") as warned:
        assert np.isnan(pairwise_distance_correlation(X, np.zeros((3, 2))))
    assert warned[0].filename == __file__
    codes = np.random.RandomState(0).normal(size=(10, 2))
    for alike in (np.eye(10), 0.3 + 1e3 * np.eye(10), 1e3 / 3 + np.eye(10)):
        with pytest.warns(UndefinedMetricWarning, match="All distances are equal"):
            assert np.isnan(pairwise_distance_correlation(alike, codes))
        with pytest.warns(UndefinedMetricWarning, match="All distances are equal"):
            assert np.isnan(pairwise_distance_correlation(codes, alike))
    assert pairwise_distance_correlation(1e-9 * codes, codes) == pytest.approx(1)
    with pytest.raises(ValueError, match="2 rows"):
        pairwise_distance_correlation(X[:2], X[:2])
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(2, 1\)"):
        pairwise_distance_correlation(X, X[:2])


# Probes


def loop_knn_accuracy(X_train, y_train, X_test, y_test, k):
    """Majority of the k nearest, the smallest label if two have as many votes."""
    hits = 0
    for row, label in zip(X_test, y_test, strict=True):
        distance = [float(((row - other) ** 2).sum()) for other in X_train]
        votes = [y_train[i] for i in sorted(range(len(X_train)), key=distance.__getitem__)[:k]]
        hits += max(sorted(set(votes)), key=votes.count) == label
    return hits / len(y_test)


@pytest.mark.parametrize("n_neighbors", [1, 2, 5])
def test_knn_accuracy_is_the_plain_loop(n_neighbors):
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(40, 2)), rng.integers(3, size=40))
    codes += (rng.normal(size=(30, 2)), rng.integers(3, size=30))
    assert knn_accuracy(*codes, n_neighbors=n_neighbors) == loop_knn_accuracy(*codes, n_neighbors)


@pytest.mark.parametrize("probe", PROBES)
def test_separate_clouds_are_told_apart_whatever_their_labels(probe):
    rng = np.random.default_rng(0)
    names = np.array(["left", "right"]).repeat(20)
    X = rng.normal(size=(40, 2)) + np.where(names == "left", -10, 10)[:, np.newaxis]
    for y in (names, names == "left", (names == "left").astype(float), list(names)):
        assert probe(X, y, X, y) == 1.0


def test_linear_probe_does_not_see_the_scale_of_a_column(iris):
    X, y = iris
    expected = linear_probe_accuracy(X[::2], y[::2], X[1::2], y[1::2])
    X = X * [1e6, 1e-6, 1.0, 1e3] + [0, 0, 1e3, 0]
    assert linear_probe_accuracy(X[::2], y[::2], X[1::2], y[1::2]) == expected


def test_linear_probe_takes_dead_units(iris):
    X, y = iris
    dead = np.hstack([X, np.full((len(X), 3), 0.1)]).astype(np.float32)
    expected = linear_probe_accuracy(X[::2], y[::2], X[1::2], y[1::2])
    assert linear_probe_accuracy(dead[::2], y[::2], dead[1::2], y[1::2]) == expected

    collapsed = np.zeros((len(X), 2))
    assert linear_probe_accuracy(collapsed, y, collapsed, y) == pytest.approx(1 / 3)


@pytest.mark.parametrize("probe", PROBES)
def test_probes_refuse_what_is_not_a_class(probe):
    X = np.random.default_rng(0).normal(size=(10, 2))
    y = np.arange(10) % 2
    with pytest.raises(ValueError, match="y_train is a continuous target"):
        probe(X, X[:, 0], X, y)
    with pytest.raises(ValueError, match="y_test is a continuous target"):
        probe(X, y, X, X[:, 0])


@pytest.mark.parametrize("probe", PROBES)
def test_probes_refuse_codes_that_do_not_fit_together(probe):
    X = np.random.default_rng(0).normal(size=(10, 2))
    y = np.arange(10) % 2
    with pytest.raises(ValueError, match=r"\(10, 2\).*\(10, 1\)"):
        probe(X, y, X[:, :1], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        probe(X, y[:5], X, y)
    with pytest.raises(ValueError, match="Input X_test contains NaN"):
        probe(X, y, np.full((10, 2), np.nan), y)


def test_knn_accuracy_refuses_more_neighbors_than_rows():
    X, y = np.eye(3), [0, 1, 1]
    with pytest.raises(ValueError, match="n_neighbors=5 is more than the 3 rows"):
        knn_accuracy(X, y, X, y)


@pytest.mark.parametrize(
    ("names", "marker"), [([0, 1, 2], -1), (["a", "b", "c"], "?"), ([0.0, 1.0, 2.0], np.nan)]
)
def test_a_labeled_scorer_is_the_scorer_of_the_rows_with_a_label(iris, names, marker):
    X, y = iris
    y = np.asarray(names)[y]
    model = LogisticRegression(max_iter=1000).fit(X[::2], y[::2])
    labels = y.astype(object)
    labels[::3] = marker
    kept = np.arange(len(y)) % 3 > 0
    weight = np.arange(len(y), dtype=float)
    expected = accuracy_score(y[kept], model.predict(X[kept]))
    scorer = labeled_scorer("accuracy", unlabeled=marker)
    assert scorer(model, X, labels) == expected
    assert pickle.loads(pickle.dumps(scorer))(model, X, labels) == expected
    assert scorer(model, X, labels, sample_weight=weight) == accuracy_score(
        y[kept], model.predict(X[kept]), sample_weight=weight[kept]
    )
    with pytest.raises(ValueError, match="leaves none to score"):
        scorer(model, X, np.full(len(y), marker, dtype=object))


@pytest.mark.slow
def test_a_labeled_scorer_works_in_a_parallel_search(iris):
    X, y = iris
    labels = np.where(np.arange(len(y)) % 3, y, -1)
    search = GridSearchCV(
        KNeighborsClassifier(),
        {"n_neighbors": [1, 3]},
        scoring=labeled_scorer("neg_log_loss", unlabeled=-1),
        cv=KFold(3, shuffle=True, random_state=0),
        n_jobs=2,
        error_score="raise",
    )
    with pytest.raises(ValueError, match="labels"):  # its classes hold the marker, as it learns it
        search.fit(X, labels)
    search.set_params(scoring=labeled_scorer(unlabeled=-1)).fit(X, labels)
    assert 0 < search.best_score_ < 1


# Agreement of codes


def test_codes_agree_up_to_an_affine_map_whatever_their_units():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(50, 3)) @ np.diag([1e6, 1.0, 1e-6])
    mapped = codes @ rng.normal(size=(3, 3)) * 7.0 + 100.0
    assert code_agreement(codes, codes @ np.diag([1e-6, 1, 1e6])) == pytest.approx(1)
    assert code_agreement(mapped[:, :1], codes) == pytest.approx(1 / 3)
    assert code_agreement(codes[:, :2], codes[:, 1:]) == code_agreement(codes[:, 1:], codes[:, :2])
    with_constant = np.c_[codes[:, :2], np.full(50, 0.1)]
    assert code_agreement(with_constant, codes[:, :2]) == pytest.approx(1)
    assert code_agreement(np.c_[codes, codes[:, 0]], codes) == pytest.approx(1)


def test_agreement_is_the_mean_of_squared_canonical_correlations_and_of_shares_explained():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(80, 2))
    others = codes @ rng.normal(size=(2, 2)) + rng.normal(size=(80, 2))
    cca = CCA(n_components=2, tol=1e-12, max_iter=5000, scale=False).fit(codes, others)
    pairs = zip(*(scores.T for scores in cca.transform(codes, others)), strict=True)
    expected = np.mean([np.corrcoef(*pair)[0, 1] ** 2 for pair in pairs])
    assert code_agreement(codes, others) == pytest.approx(expected, rel=1e-6)
    # Of one column, it is the R² of a linear regression.
    score = LinearRegression().fit(codes[:, :1], others[:, 0]).score(codes[:, :1], others[:, 0])
    assert code_agreement(codes[:, :1], others[:, :1]) == pytest.approx(score)


def test_codes_of_nothing_in_common_agree_by_chance_only():
    rng = np.random.default_rng(0)
    drawn = [code_agreement(*rng.normal(size=(2, 100, 2))) for _ in range(200)]
    assert np.mean(drawn) == pytest.approx(2 / 99, abs=0.005)


def test_agreement_of_codes_that_are_all_equal_is_not_defined():
    with pytest.warns(UndefinedMetricWarning, match="All codes of one fit are equal"):
        assert np.isnan(code_agreement(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        code_agreement(np.ones((5, 2)), np.ones((4, 2)))
