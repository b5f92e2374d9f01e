"""AutoencoderClustering: groups among codes; oracles are labels that are known, and a mixture."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderTransformer,
    TableAutoencoderTransformer,
    TableEncoder,
    VariationalAutoencoderTransformer,
)
from skae._code_groups import Islands, Mixture
from skae.cluster import AutoencoderClustering, _of_columns
from skae.penalty import NeighborPreservation

QUICK = AutoencoderTransformer(
    2, penalty=NeighborPreservation(), hidden_layer_sizes=16, init="pca", noise=None, max_iter=6,
    early_stopping=False,
)  # fmt: skip


@parametrize_with_checks(
    [AutoencoderClustering(3, autoencoder=QUICK), AutoencoderClustering(None, autoencoder=QUICK)]
)
@pytest.mark.filterwarnings("ignore:n_clusters=None found no cluster")
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs([90, 60, 30], n_features=5, cluster_std=0.5, random_state=0)


def test_groups_are_found_the_largest_first_and_new_rows_have_them(blobs):
    X, y = blobs
    fitted = AutoencoderClustering(3, autoencoder=QUICK, random_state=0).fit(X[::2])
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(X[::2]))
    assert adjusted_rand_score(y[::2], fitted.labels_) == 1
    assert adjusted_rand_score(y[1::2], fitted.predict(X[1::2])) == 1
    assert (np.diff(np.bincount(fitted.labels_)) <= 0).all()
    assert fitted.n_clusters_ == 3


def test_a_center_decodes_to_what_its_members_look_like(blobs):
    X, _ = blobs
    fitted = AutoencoderClustering(3, autoencoder=QUICK, random_state=0).fit(X)
    typical = fitted.inverse_transform(fitted.cluster_centers_)
    means = [X[fitted.labels_ == group].mean(axis=0) for group in range(3)]
    between = np.linalg.norm(means[0] - means[1])
    assert np.linalg.norm(typical - means, axis=1).max() < 0.3 * between


def test_the_number_of_groups_is_found(blobs):
    X, y = blobs
    fitted = AutoencoderClustering(None, autoencoder=QUICK, random_state=0).fit(X)
    inside = fitted.labels_ >= 0
    assert fitted.n_clusters_ == 3
    assert inside.mean() > 0.8
    assert adjusted_rand_score(y[inside], fitted.labels_[inside]) == 1
    assert fitted.inverse_transform(fitted.cluster_centers_).shape == (3, 5)


def test_probabilities_are_those_of_the_mixture_of_codes_in_the_midst_of_others():
    codes = np.random.RandomState(0).normal(size=(200, 2)) * [1, 3]
    ours = Mixture.of(codes, 3, 2, seed=0)
    away = np.sort(np.linalg.norm(codes[:, None] - codes, axis=2), axis=1)[:, 200 // 15]
    midst = codes[away <= np.quantile(away, 0.8)]
    assert len(midst) == 160
    theirs = GaussianMixture(3, n_init=2, random_state=0).fit(midst)
    order = np.argsort(-np.bincount(theirs.predict(codes), minlength=3), kind="stable")
    np.testing.assert_allclose(
        ours.probabilities(codes), theirs.predict_proba(codes)[:, order], atol=1e-9
    )


def test_codes_between_groups_make_none_of_their_own():
    random = np.random.RandomState(0)
    middles = np.repeat(
        [[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]], [300, 100, 300, 100], axis=0
    )
    codes = middles + random.normal(size=middles.shape)
    between = random.uniform(-5, 14, size=(100, 2))
    found = Mixture.of(np.concatenate([codes, between]), 4, 3, seed=0).labels(codes)
    _, groups = np.unique(middles, axis=0, return_inverse=True)
    assert adjusted_rand_score(groups.ravel(), found) > 0.99


def test_a_few_codes_that_are_alike_are_grouped_too():
    codes = np.repeat([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]], [40, 1, 1], axis=0)
    assert len(np.unique(Mixture.of(codes, 3, 2, seed=0).labels(codes))) == 3
    assert len(np.unique(Mixture.of(codes[-3:], 3, 2, seed=0).labels(codes[-3:]))) == 3


def test_codes_without_groups_belong_to_none():
    codes = np.random.RandomState(0).uniform(size=(20, 2))
    with pytest.warns(ConvergenceWarning, match="found no cluster of 5 rows or more among 20"):
        islands = Islands.of(codes)
    assert (islands.labels(codes) == -1).all()
    assert islands.centers.shape == (0, 2)


@pytest.mark.filterwarnings("ignore:n_clusters=None found no cluster")
def test_centers_of_no_cluster_decode_to_no_rows():
    X = np.random.RandomState(0).uniform(size=(6, 5)).astype(np.float32)
    fitted = AutoencoderClustering(None, autoencoder=PCA(2)).fit(X)
    assert fitted.n_clusters_ == 0
    assert (fitted.predict(X) == -1).all()
    decoded = fitted.inverse_transform(fitted.cluster_centers_)
    assert decoded.shape == (0, 5)
    assert decoded.dtype == np.float32


def test_names_of_columns_that_are_not_there_are_told_once(blobs):
    X, _ = blobs
    fitted = AutoencoderClustering(3, autoencoder=QUICK).fit(pd.DataFrame(X).add_prefix("x"))
    with pytest.warns(UserWarning, match="valid feature names") as told:
        fitted.predict(X)
    (only,) = told
    assert "AutoencoderClustering was fitted with" in str(only.message)


def test_the_same_seed_gives_the_same_clusters(blobs):
    X, _ = blobs
    first, second = (
        AutoencoderClustering(3, autoencoder=QUICK, random_state=1).fit(X) for _ in range(2)
    )
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)


@pytest.mark.slow
def test_digits_are_told_apart_without_labels():
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 5], y[y < 5]
    autoencoder = QUICK.set_params(hidden_layer_sizes=(64, 32))
    fitted = AutoencoderClustering(5, autoencoder=autoencoder, random_state=0).fit(X)
    assert adjusted_rand_score(y, fitted.labels_) > 0.8


@pytest.mark.parametrize(
    ("estimator", "X", "message"),
    [
        (AutoencoderClustering(5, autoencoder=QUICK), np.eye(4), "have 4 different codes"),
        (AutoencoderClustering(None, autoencoder=QUICK), np.eye(4), "groups of 5 rows or more"),
        (AutoencoderClustering(0), np.eye(9), "'n_clusters' parameter"),
    ],
)
def test_too_few_rows_and_wrong_parameters_are_errors(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X)
    assert not hasattr(estimator, "labels_")


def test_an_autoencoder_that_needs_labels_is_refused(blobs):
    X, y = blobs
    for autoencoder in (
        AutoencoderTransformer(2, penalty=NeighborPreservation(supervised=0.5)),
        VariationalAutoencoderTransformer(2, conditional=True),
    ):
        with pytest.raises(ValueError, match=r"autoencoder=.* needs labels, but clusters are"):
            AutoencoderClustering(3, autoencoder=autoencoder).fit(X, y)


def test_an_autoencoder_of_tables_is_refused():
    table = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0] * 5, "name": [*"SSLL"] * 5})
    for autoencoder in (
        TableAutoencoderTransformer(2),
        make_pipeline(TableEncoder(), AutoencoderTransformer(2)),
    ):
        with pytest.raises(ValueError, match=r"takes tables, .* make_pipeline\(TableEncoder\(\), "):
            AutoencoderClustering(2, autoencoder=autoencoder).fit(table)


@pytest.mark.parametrize("autoencoder", [None, QUICK])
def test_rows_with_holes_are_refused_with_a_way_out(autoencoder, blobs):
    X = np.where(np.random.RandomState(0).uniform(size=blobs[0].shape) < 0.1, np.nan, blobs[0])
    with pytest.raises(ValueError, match=r"contains NaN\.\nAutoenc.*missing='mask'"):
        AutoencoderClustering(3, autoencoder=autoencoder).fit(X)


@pytest.mark.parametrize(("n_columns", "n_codes"), [(19, None), (20, 10)])
def test_of_many_columns_neighbors_are_looked_for_in_codes(n_columns, n_codes):
    transformer = _of_columns(n_columns).penalty.transformer
    assert (transformer if n_codes is None else transformer.n_components) == n_codes
