"""`compare`: the numbers against explicit computations, and a row for whatever goes wrong."""

import csv
import io
import json
import sys
import tracemalloc
import types
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from scipy.sparse import csc_array, csr_array, csr_matrix, spmatrix
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.manifold import TSNE, trustworthiness
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.utils import check_random_state

from skae import AutoencoderTransformer, metrics
from skae.comparison import METHODS, compare
from skae.comparison._methods import UnitVarianceScaler, build_method
from skae.comparison._packages import PACKAGES
from skae.comparison._refusals import RowKind, refusal
from skae.metrics import reconstruction_r2
from skae.penalty import NeighborPreservation

IRIS = load_iris(return_X_y=True)
DIGITS = load_digits(return_X_y=True)


class Transformer(TransformerMixin, BaseEstimator):
    """Keep the first columns, and everything that fit saw."""

    def fit(self, X, y=None):
        self.seen_ = X
        self.target_ = y
        return self

    def transform(self, X):
        return X[:, :2]


class Failing(Transformer):
    def fit(self, X, y=None):
        raise RuntimeError("this method\nnever works")


class FailingInverse(Transformer):
    def inverse_transform(self, X):
        raise NotImplementedError("not yet")


class NotANumber(Transformer):
    def transform(self, X):
        return np.full((len(X), 2), np.nan)


class Warns(Transformer):
    def fit(self, X, y=None):
        warnings.warn("the rows look odd. There is more to say", UserWarning, stacklevel=2)
        warnings.warn("old", DeprecationWarning, stacklevel=2)
        return super().fit(X, y)


@pytest.fixture(scope="module")
def digits():
    """Fast methods on digits: with and without inverse, without transform, and one that fails."""
    X, y = DIGITS
    methods = {
        "pca": "pca",
        "isomap": "isomap",
        "tsne": TSNE(random_state=0),
        "failing": Failing(),
    }
    return compare(X[:400], y[:400], methods=methods, random_state=0)


def rows_of(comparison):
    return {row["method"]: row for row in comparison.rows}


# The numbers


def test_numbers_of_pca_are_those_computed_by_hand(digits):
    X, y = DIGITS[0][:400], DIGITS[1][:400]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    pca = PCA(2, random_state=0).fit(X_train)
    codes = pca.transform(X_test)
    residual = ((X_test - pca.inverse_transform(codes)) ** 2).sum()
    total = ((X_test - X_test.mean(axis=0)) ** 2).sum()
    knn = KNeighborsClassifier(5).fit(pca.transform(X_train), y_train)

    row = rows_of(digits)["pca"]
    np.testing.assert_allclose(digits.embeddings["pca"], codes)
    assert row["reconstruction_r2"] == pytest.approx(1 - residual / total)
    # Pixels are whole numbers, and scikit-learn breaks ties of distances differently.
    trust, continuity = trustworthiness(X_test, codes), trustworthiness(codes, X_test)
    assert row["trustworthiness"] == pytest.approx(trust, abs=1e-3)
    assert row["continuity"] == pytest.approx(continuity, abs=1e-3)
    assert row["knn_accuracy"] == pytest.approx(knn.score(codes, y_test))


def test_a_continuous_target_is_told_by_regression():
    X, y = load_diabetes(return_X_y=True)
    comparison = compare(X, y, methods="pca", random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    pca = PCA(2).fit(X_train)
    Z_train, Z_test = pca.transform(X_train), pca.transform(X_test)

    (row,) = comparison.rows
    assert comparison.target_type == "continuous"
    knn = KNeighborsRegressor(5).fit(Z_train, y_train).score(Z_test, y_test)
    assert row["knn_r2"] == pytest.approx(knn)
    linear = LinearRegression().fit(Z_train, y_train).score(Z_test, y_test)
    assert row["linear_r2"] == pytest.approx(linear)


def test_without_a_target_there_are_no_columns_for_it():
    comparison = compare(IRIS[0], methods="pca", random_state=0)
    assert comparison.columns[:3] == ["reconstruction_r2", "trustworthiness", "continuity"]
    assert all(column.endswith("seconds") for column in comparison.columns[3:])


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.arange(150) % 3, "classes"),
        (np.arange(150) % 3 == 0, "classes"),
        (np.array(["a", "b", "c"])[np.arange(150) % 3], "classes"),
        (np.array(["a", "b", "c"], dtype=object)[np.arange(150) % 3], "classes"),
        (np.array([1, 2, 3], dtype=object)[np.arange(150) % 3], "classes"),
        (np.arange(150) % 3 * 1.0, "classes"),
        (np.arange(150) % 30, "classes"),
        (np.arange(150) % 30 * 1.0, "continuous"),
        (np.arange(150), "continuous"),
        (np.arange(150).astype(str), "classes"),
        (np.linspace(0, 1, 150), "continuous"),
    ],
)
def test_the_kind_of_target_is_told_from_its_values(y, kind):
    comparison = compare(IRIS[0], y, methods="pca", random_state=0)
    assert comparison.target_type == kind
    assert comparison.rows[0]["knn_accuracy" if kind == "classes" else "knn_r2"] is not None


def test_seconds_are_measured_for_each_step(digits):
    row = rows_of(digits)["pca"]
    assert all(row[column] >= 0 for column in digits.columns if column.endswith("seconds"))


# Fairness


def test_all_methods_see_the_same_rows():
    methods = {name: Transformer() for name in ("one", "two", "three")}
    comparison = compare(*IRIS, methods=methods, random_state=0)
    X_train = IRIS[0][comparison.train_indices]
    for estimator in comparison.estimators.values():
        np.testing.assert_array_equal(estimator.seen_, X_train)
    for codes in comparison.embeddings.values():
        np.testing.assert_array_equal(codes, IRIS[0][comparison.test_indices, :2])


def test_no_row_is_both_fitted_on_and_measured(digits):
    assert not set(digits.train_indices) & set(digits.test_indices)
    assert len(digits.train_indices) + len(digits.test_indices) == 400


def test_the_split_is_stratified():
    comparison = compare(*IRIS, methods="pca", test_size=30, random_state=0)
    np.testing.assert_array_equal(np.bincount(IRIS[1][comparison.test_indices]), [10, 10, 10])


def test_a_class_of_one_row_does_not_prevent_the_split():
    y = np.array(["often"] * 149 + ["once"])
    comparison = compare(IRIS[0], y, methods="pca", random_state=0)
    assert comparison.rows[0]["reconstruction_r2"] is not None


def test_many_rows_are_sampled_for_methods_that_do_not_scale():
    X, y = DIGITS
    methods = {
        "kernel": make_pipeline(StandardScaler(), KernelPCA(2)),
        "seen": Transformer(),
    }
    comparison = compare(X, y, methods=methods, max_samples=50, random_state=0)
    n_train = len(comparison.train_indices)
    kernel, seen = comparison.rows
    assert kernel["notes"][0] == f"fitted on 50 of {n_train} training rows"
    assert seen["notes"] == []
    fitted_on = comparison.estimators["kernel"][-1].X_fit_
    assert fitted_on.shape == (50, 64)
    assert len(comparison.estimators["seen"].seen_) == n_train
    assert comparison.embeddings["seen"].shape == (50, 2)
    assert "50 of 450 held-out rows" in str(comparison)


def test_a_method_that_cannot_embed_new_rows_is_marked_and_not_ranked(digits):
    row = rows_of(digits)["tsne"]
    assert digits.unranked == ["tsne"]
    assert "embedded the test rows themselves" in row["notes"][0]
    assert row["transform_seconds"] is None
    assert row["reconstruction_r2"] is None
    assert 0.5 < row["knn_accuracy"] < 1
    line = next(line for line in str(digits).splitlines() if line.startswith("tsne"))
    assert "*" not in line


def test_a_target_goes_only_to_methods_that_require_one():
    methods = {"lda": LinearDiscriminantAnalysis(n_components=2), "other": Transformer()}
    comparison = compare(*IRIS, methods=methods, random_state=0)
    assert comparison.rows[0]["knn_accuracy"] > 0.9
    assert comparison.estimators["other"].target_ is None


def test_labels_go_to_a_penalty_that_needs_some():
    penalty = NeighborPreservation(supervised=0.5)
    method = AutoencoderTransformer(2, penalty=penalty, max_iter=1, early_stopping=False)
    (row,) = compare(*IRIS, methods={"told": method}, random_state=0).rows
    assert row["trustworthiness"] is not None, row["notes"]


def test_standardize_learns_from_the_training_rows():
    X, y = IRIS
    comparison = compare(X, y, methods={"m": Transformer()}, standardize=True, random_state=0)
    scaler = StandardScaler().fit(X[comparison.train_indices])
    np.testing.assert_allclose(
        comparison.embeddings["m"], scaler.transform(X[comparison.test_indices])[:, :2]
    )
    assert "standardized features" in str(comparison)


def test_float32_rows_stay_float32():
    comparison = compare(IRIS[0].astype(np.float32), methods={"m": Transformer()})
    assert comparison.estimators["m"].seen_.dtype == np.float32


def test_your_estimator_is_cloned():
    pca = PCA(2)
    comparison = compare(*IRIS, methods={"mine": pca}, random_state=0)
    assert not hasattr(pca, "components_")
    assert hasattr(comparison.estimators["mine"], "components_")


def test_the_same_seed_gives_the_same_numbers_and_leaves_global_state_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    filters = list(warnings.filters)
    methods = ["pca", "kernel_pca", "isomap", "lle"]
    one, two = (compare(*IRIS, methods=methods, random_state=1) for _ in range(2))
    compare(*IRIS, methods="pca", random_state=None)
    for name, codes in one.embeddings.items():
        np.testing.assert_array_equal(codes, two.embeddings[name])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert warnings.filters == filters


def test_a_random_state_object_is_drawn_from():
    one = compare(*IRIS, methods="pca", random_state=np.random.RandomState(3))
    two = compare(*IRIS, methods="pca", random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(one.test_indices, two.test_indices)


# What goes wrong is a row


def test_a_failing_method_is_a_row_that_says_why(digits):
    row = rows_of(digits)["failing"]
    assert all(row[column] is None for column in digits.columns)
    assert row["notes"] == ["failed: RuntimeError: this method"]
    assert "failing" not in digits.embeddings
    assert "failing" not in digits.estimators
    assert "RuntimeError: this method" in str(digits)


def test_a_failing_inverse_costs_only_the_reconstruction():
    (row,) = compare(*IRIS, methods={"m": FailingInverse()}, random_state=0).rows
    assert row["reconstruction_r2"] is None
    assert row["inverse_seconds"] is None
    assert row["knn_accuracy"] > 0.5
    assert row["notes"] == ["no reconstruction_r2: NotImplementedError: not yet"]


@pytest.mark.parametrize("estimator", [NotANumber(), PCA, object(), LinearRegression()])
def test_what_is_no_transformer_of_numbers_is_a_failed_row(estimator):
    (row,) = compare(*IRIS, methods={"m": estimator}, random_state=0).rows
    assert row["notes"][0].startswith("failed: ")


def test_warnings_become_notes():
    comparison = compare(*IRIS, methods={"m": Warns(), "isomap": "isomap"}, random_state=0)
    assert comparison.rows[0]["notes"] == ["the rows look odd"]
    (note,) = comparison.rows[1]["notes"]
    assert note.startswith("The number of connected components of the neighbors graph is 2")


def test_codes_in_a_dataframe_are_understood():
    pca = PCA(2).set_output(transform="pandas")
    comparison = compare(*IRIS, methods={"frame": pca, "array": "pca"}, random_state=0)
    np.testing.assert_array_equal(comparison.embeddings["frame"], comparison.embeddings["array"])


def test_few_rows_are_enough_for_all_methods_without_training():
    X, y = IRIS[0][::15], IRIS[1][::15]
    methods = ["pca", "kernel_pca", "isomap", "lle", "tsne"]
    comparison = compare(X, y, methods=methods, n_components=1, random_state=0)
    assert [row["notes"][:1] for row in comparison.rows if row["trustworthiness"] is None] == []


# What is asked for


def test_methods_are_given_by_name_by_names_or_as_a_dictionary():
    assert [row["method"] for row in compare(*IRIS, methods="pca").rows] == ["pca"]
    assert list(compare(*IRIS, methods=["pca", "lle"]).embeddings) == ["pca", "lle"]
    mine = compare(*IRIS, methods={"mine": make_pipeline(StandardScaler(), PCA(3)), "b": "pca"})
    assert mine.embeddings["mine"].shape == (38, 3)
    assert mine.embeddings["b"].shape == (38, 2)


@pytest.mark.parametrize("name", METHODS)
def test_every_built_in_method_has_a_line_of_description(name):
    assert len(METHODS[name].__doc__.splitlines()) == 1
    assert f'"{name}"' in compare.__doc__


@pytest.mark.parametrize("name", [name for name in METHODS if name not in PACKAGES])
def test_every_built_in_method_has_the_size_asked_for(name):
    estimator = METHODS[name](3, 40, 0)
    estimator = estimator[-1] if hasattr(estimator, "steps") else estimator
    assert estimator.n_components == 3


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"methods": ["pca", "tnse"]}, "no method 'tnse'. Did you mean 'tsne'\\? The methods are"),
        ({"methods": []}, "methods is empty"),
        ({"methods": {}}, "methods is empty"),
        ({"n_components": 0}, "n_components"),
        ({"test_size": 2}, "test_size=2 holds out 2 of 150 rows"),
        ({"max_samples": 1}, "max_samples"),
    ],
)
def test_a_bad_parameter_is_an_error(kwargs, message):
    with pytest.raises(ValueError, match=message):
        compare(*IRIS, **kwargs)


def test_estimators_in_a_list_are_an_error_that_asks_for_names():
    with pytest.raises(TypeError, match="give estimators as a dictionary"):
        compare(*IRIS, methods=[PCA(2)])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (IRIS[0][:1], None, "1 sample"),
        (np.full((20, 2), np.nan), None, "NaN"),
        (np.full((20, 2), np.inf), None, "infinity"),
        (IRIS[0], IRIS[1][:-1], "inconsistent"),
        (IRIS[0], np.zeros(150), "same value in all rows"),
        (IRIS[0], np.where(IRIS[1], 1.0, np.nan), "NaN"),
        (IRIS[0], np.where(IRIS[1], "a", None), "missing"),
    ],
)
def test_bad_rows_are_an_error(X, y, message):
    with pytest.raises(ValueError, match=message):
        compare(X, y, methods="pca")


def test_an_interruption_by_the_user_gets_out():
    class Interrupted(Transformer):
        def fit(self, X, y=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(*IRIS, methods={"m": Interrupted()})


def test_progress_names_the_method_at_work_only_when_asked_for(capsys):
    compare(*IRIS, methods=["pca", "lle"])
    assert capsys.readouterr() == ("", "")
    compare(*IRIS, methods=["pca", "lle"], verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "pca" in err
    assert "lle" in err


def test_the_scaler_of_kernel_pca_keeps_proportions_and_has_an_inverse():
    X = IRIS[0]
    scaler = UnitVarianceScaler().fit(X)
    Z = scaler.transform(X)
    assert Z.var(axis=0).sum() == pytest.approx(1)
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(pdist(X), pdist(Z) * scaler.scale_)
    np.testing.assert_allclose(scaler.inverse_transform(Z), X)
    np.testing.assert_allclose(UnitVarianceScaler().fit_transform(np.ones((5, 2))), 0)


@pytest.mark.parametrize("standardize", [False, True])
def test_kernel_pca_rebuilds_as_well_as_pca_where_a_curve_is_to_be_found(standardize):
    X, y = DIGITS
    comparison = compare(
        X, y, methods=["pca", "kernel_pca"], standardize=standardize, random_state=0
    )
    pca, kernel_pca = comparison.rows
    assert kernel_pca["reconstruction_r2"] > pca["reconstruction_r2"]


# Missing values


def with_holes(X, share=0.1):
    return np.where(np.random.RandomState(0).uniform(size=X.shape) < share, np.nan, X)


HOLES = with_holes(IRIS[0])
FAST = {"max_iter": 2, "early_stopping": False, "random_state": 0}


@pytest.fixture(scope="module")
def holes():
    """Methods that take missing values, that do not, and that do once they are told to."""
    methods = {
        "masked": AutoencoderTransformer(2, missing="mask", **FAST),
        "imputed": make_pipeline(SimpleImputer(), PCA(2)),
        "pca": "pca",
        "kernel_pca": "kernel_pca",
        "scaled": make_pipeline(StandardScaler(), PCA(2)),
        "strict": AutoencoderTransformer(2, **FAST),
        "tsne": "tsne",
    }
    return compare(HOLES, IRIS[1], methods=methods, random_state=0)


def test_methods_that_take_no_missing_values_say_so_and_what_to_do(holes):
    notes = {row["method"]: row["notes"] for row in holes.rows}
    for name in ("pca", "kernel_pca", "tsne"):
        assert notes[name] == ["takes no missing values; put an imputer before it"]
    assert notes["scaled"] == ["its PCA takes no missing values; put an imputer before it"]
    assert notes["strict"] == ["takes no missing values; set missing='mask'"]
    assert list(holes.embeddings) == ["masked", "imputed"]
    assert holes.unranked == []


def test_r2_of_rows_with_holes_is_that_of_the_values_that_are_known(holes):
    X_test = HOLES[holes.test_indices]
    X_rec = holes.estimators["masked"].inverse_transform(holes.embeddings["masked"])
    known = ~np.isnan(X_test)
    residual = ((X_test - X_rec)[known] ** 2).sum()
    total = ((X_test - np.nanmean(X_test, axis=0))[known] ** 2).sum()
    assert rows_of(holes)["masked"]["reconstruction_r2"] == pytest.approx(1 - residual / total)


def test_neighborhoods_of_rows_with_holes_are_those_with_the_means_of_training_rows(holes):
    X_train, X_test = HOLES[holes.train_indices], HOLES[holes.test_indices]
    filled = np.where(np.isnan(X_test), np.nanmean(X_train, axis=0), X_test)
    for name, codes in holes.embeddings.items():
        row = rows_of(holes)[name]
        assert row["trustworthiness"] == pytest.approx(trustworthiness(filled, codes), abs=1e-3)
        assert row["continuity"] == pytest.approx(trustworthiness(codes, filled), abs=1e-3)
        assert row["knn_accuracy"] > 0.5


def test_an_imputer_is_passed_over_on_the_way_back(holes):
    X_train, X_test = HOLES[holes.train_indices], HOLES[holes.test_indices]
    imputer = SimpleImputer().fit(X_train)
    pca = PCA(2).fit(imputer.transform(X_train))
    X_rec = pca.inverse_transform(pca.transform(imputer.transform(X_test)))
    assert rows_of(holes)["imputed"]["reconstruction_r2"] == pytest.approx(
        reconstruction_r2(X_test, X_rec)
    )


def test_the_table_and_the_figure_tell_of_holes(holes):
    share = f"{np.isnan(HOLES).mean():.1%} of the values missing"
    assert share in " ".join(str(holes).split())
    assert "R² counts the values that are known" in " ".join(str(holes).split())
    assert holes.settings["n_missing"] == np.isnan(HOLES).sum()
    figure = holes.plot()
    assert any(share in text.get_text() for text in figure.findobj(Text))
    reasons = " ".join(text.get_text() for text in panels(figure)["strict"].texts)
    assert reasons.split() == ["takes", "no", "missing", "values;", "set", "missing='mask'"]


def test_rows_without_holes_are_not_said_to_have_any():
    comparison = compare(*IRIS, methods=["pca"], random_state=0)
    assert comparison.settings["n_missing"] == 0
    assert "missing" not in str(comparison)


def test_standardizing_leaves_holes_where_they_are():
    methods = {"m": make_pipeline(SimpleImputer(), PCA(2))}
    comparison = compare(HOLES, IRIS[1], methods=methods, standardize=True, random_state=0)
    expected = make_pipeline(StandardScaler(), SimpleImputer(), PCA(2))
    expected.fit(HOLES[comparison.train_indices])
    np.testing.assert_allclose(
        comparison.embeddings["m"], expected.transform(HOLES[comparison.test_indices])
    )


@pytest.mark.parametrize("name", [name for name in METHODS if name.endswith("autoencoder")])
def test_built_in_autoencoders_that_can_mask_missing_values_do(name):
    kind = RowKind(has_holes=True, is_sparse=False)
    estimator = build_method(name, 2, 40, 0, kind)
    if "missing" in estimator.get_params():
        assert estimator.missing == "mask"
        assert refusal(estimator, kind) is None


def test_if_no_method_takes_missing_values_the_error_names_one_before_any_work():
    class Busy(PCA):
        def __sklearn_tags__(self):
            return super().__sklearn_tags__()

        def fit(self, X, y=None):
            raise KeyboardInterrupt

    with pytest.raises(ValueError, match=r"AutoencoderTransformer\(missing='mask'\)") as raised:
        compare(HOLES, methods={"mine": Busy(2), "pca": "pca"})
    assert "('mine', 'pca')" in str(raised.value)


def test_an_estimator_that_says_nothing_of_missing_values_is_tried():
    class Fills(Transformer):
        def transform(self, X):
            return np.nan_to_num(X[:, :2])

    methods = {"fills": Fills(), "leaves": Transformer()}
    fills, leaves = compare(HOLES, methods=methods, random_state=0).rows
    assert fills["trustworthiness"] is not None
    assert leaves["notes"] == ["failed: ValueError: Input the embedding contains NaN."]


def test_a_grid_search_is_tried_as_its_tags_do_not_say_what_it_searches():
    search = GridSearchCV(
        AutoencoderTransformer(2, missing="mask", **FAST),
        {"hidden_layer_sizes": [(4,), (8,)]},
        cv=2,
    )
    (row,) = compare(HOLES, methods={"search": search}, random_state=0).rows
    assert row["reconstruction_r2"] > 0


# Sparse rows


SPARSE = np.random.RandomState(0).poisson(0.4, size=(120, 12)) * 1.0


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("container", [csr_array, csr_matrix, csc_array])
def test_sparse_rows_give_the_numbers_of_dense_ones(container, standardize):
    y = SPARSE.sum(axis=1) > 4
    methods = {"pca": "pca", "autoencoder": AutoencoderTransformer(2, **FAST)}
    sparse, dense = (
        compare(X, y, methods=methods, standardize=standardize, random_state=0)
        for X in (container(SPARSE), SPARSE)
    )
    for name, row in rows_of(sparse).items():
        for column in sparse.columns[:5]:
            assert row[column] == pytest.approx(rows_of(dense)[name][column], abs=0.02), column
        assert row["inverse_seconds"] > 0
    assert sparse.settings["sparse"]
    assert ("sparse rows of 12 scaled" if standardize else "sparse rows of 12 f") in str(sparse)


def test_methods_that_take_no_sparse_rows_say_so():
    methods = {
        "lle": "lle",
        "kernel_pca": "kernel_pca",
        "centered": make_pipeline(StandardScaler(), PCA(2)),
        "svd": make_pipeline(MaxAbsScaler(), TruncatedSVD(2), StandardScaler()),
    }
    comparison = compare(csr_array(SPARSE), methods=methods, random_state=0)
    notes = {row["method"]: row["notes"] for row in comparison.rows}
    assert notes["lle"] == notes["kernel_pca"] == ["takes no sparse rows"]
    assert notes["centered"] == ["its StandardScaler takes no sparse rows"]
    assert notes["svd"] == []
    assert list(comparison.embeddings) == ["svd"]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (csr_array(SPARSE), r"no method takes sparse rows \('lle'\).*give X.toarray\(\)"),
        (csr_array(with_holes(SPARSE)), r"X is sparse and has \d+ missing values"),
    ],
)
def test_sparse_rows_that_no_method_takes_are_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        compare(X, methods="lle")


def test_sparse_rows_are_never_dense_as_a_whole(monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK_SIZE", 2**16)
    cells = np.random.RandomState(0).randint(400 * 20_000, size=8000)
    X = csr_array((np.ones(8000), np.divmod(cells, 20_000)), shape=(400, 20_000))
    tracemalloc.start()
    comparison = compare(X, methods={"svd": TruncatedSVD(2)}, standardize=True, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert comparison.rows[0]["reconstruction_r2"] is not None
    assert peak < len(comparison.test_indices) * X.shape[1] * 8


def test_embeddings_keep_no_rows_alive():
    comparison = compare(*IRIS, methods={"view": Transformer()}, random_state=0)
    assert comparison.embeddings["view"].base is None


# A column of a table as target


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_name_of_a_column_is_the_target_and_no_feature(library):
    frames = pytest.importorskip(library)
    columns = {f"x{i}": IRIS[0][:, i] for i in range(4)}
    species = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
    frame = frames.DataFrame({**columns, "species": species})
    named = compare(frame, "species", methods="pca", random_state=0)
    given = compare(IRIS[0], species, methods="pca", random_state=0)
    assert named.settings["n_features"] == 4
    np.testing.assert_array_equal(named.embeddings["pca"], given.embeddings["pca"])
    np.testing.assert_array_equal(named.y_test, given.y_test)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(IRIS[0], columns=list("abcd")), r"no column 'specie'.* columns are 'a', 'b'"),
        (pd.DataFrame(IRIS[0][:, :2], columns=["a", "species"]), "Did you mean 'species'"),
        (pd.DataFrame(IRIS[0][:, :1], columns=["specie"]), "no column but 'specie'"),
        (IRIS[0], r"X \(ndarray\) has no named columns; give a DataFrame"),
    ],
)
def test_a_name_that_is_no_column_is_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        compare(X, "specie", methods="pca")


# Methods of other packages


class StandIn(BaseEstimator):
    """As much of a method of another package as a comparison sees."""

    def __init__(self, **parameters):
        self.parameters = parameters

    def get_params(self, deep=True):
        return dict(self.parameters)

    def fit(self, X, y=None):
        assert isinstance(X, np.ndarray | spmatrix)  # such packages know no sparse arrays
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X)._codes(X)

    def _codes(self, X):
        return X[:, :2]


class StandInForNewRows(StandIn):
    def transform(self, X):
        return self._codes(X)


@pytest.fixture
def packages(monkeypatch):
    """The packages as if they were installed; TriMap can't embed new rows."""
    modules = {}
    for name, (module, estimator, _) in PACKAGES.items():
        kind = StandIn if name == "trimap" else StandInForNewRows
        modules[name] = types.ModuleType(module)
        one = type(estimator, (kind,), {"__module__": f"{module}.inside"})
        setattr(modules[name], estimator, one)
        monkeypatch.setitem(sys.modules, module, modules[name])
    return modules


def test_methods_of_other_packages_are_known_by_name_where_they_are_installed(packages):
    comparison = compare(*IRIS, methods=list(packages), random_state=0)
    assert list(comparison.embeddings) == ["umap", "pacmap", "phate", "trimap"]
    assert comparison.unranked == ["trimap"]
    for name in ("umap", "pacmap", "phate"):
        parameters = comparison.estimators[name].parameters
        assert (parameters["n_components"], parameters["random_state"]) == (2, 0)
    assert comparison.estimators["trimap"].parameters["n_dims"] == 2


def test_methods_of_other_packages_get_the_rows_that_they_take(packages):
    sparse = compare(csr_array(SPARSE), methods=["pca", *packages], random_state=0)
    notes = {row["method"]: row["notes"] for row in sparse.rows}
    assert list(sparse.embeddings) == ["pca", "umap", "phate"]
    assert notes["pacmap"] == notes["trimap"] == ["takes no sparse rows"]
    methods = {"mine": packages["umap"].UMAP(), "umap": "umap"}
    with pytest.raises(ValueError, match=r"no method takes them \('mine', 'umap'\)"):
        compare(HOLES, methods=methods)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_not_installed_is_an_error_that_says_what_to_install(name, monkeypatch):
    class Absent:
        @staticmethod
        def find_spec(module, path=None, target=None):
            if module == name:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    with pytest.raises(ImportError, match=f"pip install {PACKAGES[name].project}$"):
        compare(*IRIS, methods=["pca", name])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "module 'umap' that is installed has none, and is another one"),
        ("import no_such_module_at_all", "can't be imported: No module named 'no_such"),
        ("raise ImportError('numpy is too new')", "can't be imported: numpy is too new"),
    ],
)
def test_a_package_that_does_not_load_or_is_another_one_says_so(
    source, message, tmp_path, monkeypatch
):
    (tmp_path / "umap.py").write_text(source)
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=message):
        compare(*IRIS, methods="umap")
    sys.modules.pop("umap", None)


# Showing it


def test_the_table_fits_a_terminal_and_stars_the_best(digits):
    lines = str(digits).splitlines()
    assert max(map(len, lines)) <= 100
    assert "n/a" in str(digits)
    pca = next(line for line in lines if line.startswith("pca"))
    isomap = next(line for line in lines if line.startswith("isomap"))
    best = max(("pca", "isomap"), key=lambda name: rows_of(digits)[name]["trustworthiness"])
    text = f"{rows_of(digits)[best]['trustworthiness']:.3f}*"
    assert text in {"pca": pca, "isomap": isomap}[best]
    assert repr(digits) == str(digits)


def test_equal_notes_share_a_number():
    comparison = compare(*IRIS, methods={"one": Warns(), "two": Warns()}, random_state=0)
    assert str(comparison).count("the rows look odd") == 1
    assert "one [1]" in str(comparison)
    assert "two [1]" in str(comparison)


def test_the_html_escapes_names_and_holds_the_same_rows():
    comparison = compare(*IRIS, methods={"<pca>": "pca", "lle": "lle"}, random_state=0)
    page = comparison._repr_html_()
    assert "&lt;pca&gt;" in page
    rows = ElementTree.fromstring(page).findall("table/tbody/tr")
    assert [row[0].text.strip() for row in rows] == ["<pca>", "lle"]
    assert [len(row) for row in rows] == [1 + len(comparison.columns)] * 2
    assert page.count("<b>") >= len(comparison.columns) - 2


def test_the_frame_holds_numbers_and_nan(digits):
    frame = digits.to_frame()
    assert list(frame.index) == ["pca", "isomap", "tsne", "failing"]
    assert list(frame.columns) == [*digits.columns, "notes"]
    assert {dtype.kind for dtype in frame[digits.columns].dtypes} == {"f"}
    assert frame.loc["failing", digits.columns].isna().all()
    assert frame.loc["pca", "continuity"] == rows_of(digits)["pca"]["continuity"]


def test_without_pandas_the_frame_is_an_error_that_says_so(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        digits.to_frame()


def test_files_hold_the_table(digits, tmp_path):
    digits.to_csv(tmp_path / "table.csv")
    digits.to_json(tmp_path / "table.json")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    content = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert content["rows"] == digits.rows
    assert content["settings"]["n_samples"] == 400
    for line, row in zip(lines, digits.rows, strict=True):
        assert line["method"] == row["method"]
        for column in digits.columns:
            assert line[column] == ("" if row[column] is None else repr(row[column]))


# Drawing it


def panels(figure):
    """Axes of the embeddings: the ones whose title is bold and in the middle."""
    return {ax.get_title(): ax for ax in figure.axes if ax.get_title()}


def bars(figure):
    return {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_title(loc="left")}


def test_the_figure_shows_every_method_and_its_codes(digits):
    figure = digits.plot(title="digits")
    figure.savefig(io.BytesIO())
    assert set(panels(figure)) == {"pca", "isomap", "tsne", "failing"}
    assert set(bars(figure)) == {
        "held-out R²",
        "trustworthiness",
        "kNN accuracy",
        "seconds to fit",
    }
    assert figure.get_suptitle() == "digits"
    for name, codes in digits.embeddings.items():
        (points,) = panels(figure)[name].collections
        np.testing.assert_array_equal(points.get_offsets(), codes)
    failing = panels(figure)["failing"]
    assert not failing.collections
    assert any("RuntimeError" in text.get_text() for text in failing.texts)


def test_equal_classes_have_equal_colors_in_all_panels(digits):
    figure = digits.plot()
    colors = [
        panels(figure)[name].collections[0].get_facecolors() for name in ("pca", "isomap", "tsne")
    ]
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[0], colors[2])
    assert len(np.unique(colors[0], axis=0)) == len(np.unique(digits.y_test))


def test_bars_are_as_long_as_the_numbers(digits):
    ax = bars(digits.plot())["trustworthiness"]
    values = [row["trustworthiness"] for row in digits.rows if row["trustworthiness"] is not None]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(values)
    assert [text.get_text() for text in ax.texts][-1] == "n/a"


def test_drawing_touches_neither_pyplot_nor_its_settings(digits):
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    digits.plot().savefig(io.BytesIO())
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("n_components", [1, 2, 3])
@pytest.mark.parametrize(
    "y",
    [None, IRIS[1], IRIS[0][:, 0], np.arange(150) % 15],
    ids=["none", "classes", "continuous", "many"],
)
def test_codes_of_any_size_and_targets_of_any_kind_are_drawn(n_components, y):
    comparison = compare(IRIS[0], y, methods=["pca"], n_components=n_components, random_state=0)
    figure = comparison.plot()
    figure.savefig(io.BytesIO())
    ax = panels(figure)["pca"]
    if n_components == 1 and y is None:
        assert sum(bar.get_height() for bar in ax.patches) == 38
        return
    offsets = ax.collections[0].get_offsets()
    codes = comparison.embeddings["pca"]
    assert offsets.shape == (38, 2)
    if n_components == 1:
        np.testing.assert_array_equal(offsets[:, 0], codes[:, 0])
    if n_components == 3:  # the principal axes of the test rows' codes
        expected = PCA(2).fit_transform(codes)
        np.testing.assert_allclose(np.abs(offsets), np.abs(expected), atol=1e-9)


def test_a_comparison_in_which_all_fails_is_still_drawn():
    comparison = compare(*IRIS, methods={"m": Failing()}, random_state=0)
    comparison.plot().savefig(io.BytesIO())
    assert "n/a" in str(comparison)


def test_names_are_drawn_as_they_are_and_never_as_formulas():
    y = np.array(["$a$", "$\\nothing$", "a name that is much too long"])[IRIS[1]]
    methods = {"$\\frac$": "pca", "$1$": Failing()}
    figure = compare(IRIS[0], y, methods=methods, random_state=0).plot(title="$\\x$")
    figure.savefig(io.BytesIO())


def test_without_matplotlib_plotting_is_an_error_that_says_so(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'skae\[plot\]'"):
        digits.plot()


# The autoencoders


@pytest.mark.slow
def test_the_autoencoders_are_compared_like_any_other_method():
    names = ["pca", "autoencoder", "deep_autoencoder", "random_autoencoder"]
    X, y = IRIS[0][::3], IRIS[1][::3]
    comparison = compare(X, y, methods=names, n_components=1, random_state=0)
    for row in comparison.rows:
        assert row["reconstruction_r2"] > 0.5, row
        assert comparison.embeddings[row["method"]].shape == (len(comparison.test_indices), 1)


# Repeats


class Drawn(TransformerMixin, BaseEstimator):
    """Codes that a seed draws: the first column, and one of noise."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.weight_ = check_random_state(self.random_state).normal(size=X.shape[1])
        return self

    def transform(self, X):
        return np.c_[X[:, 0], np.sin(1e3 * (X @ self.weight_))]


@pytest.fixture(scope="module")
def repeated():
    methods = {"pca": "pca", "drawn": Drawn(), "tsne": "tsne", "broken": Broken()}
    return compare(*IRIS, methods=methods, repeats=3, random_state=5)


class Broken(TransformerMixin, BaseEstimator):
    """Fails at every second fit."""

    n_fits = 0

    def fit(self, X, y=None):
        Broken.n_fits += 1
        if Broken.n_fits % 2 == 0:
            raise ArithmeticError("not this time")
        return self

    def transform(self, X):
        return X[:, :2]


def test_repeats_are_means_and_deviations_of_comparisons_with_other_seeds(repeated):
    alone = [rows_of(compare(*IRIS, methods="pca", random_state=seed))["pca"] for seed in (5, 6, 7)]
    row = rows_of(repeated)["pca"]
    for column in ("reconstruction_r2", "trustworthiness", "knn_accuracy", "linear_accuracy"):
        values = [one[column] for one in alone]
        assert row[column] == pytest.approx(np.mean(values))
        assert row[f"{column}_std"] == pytest.approx(np.std(values, ddof=1))
    first = compare(*IRIS, methods="pca", random_state=5)
    np.testing.assert_array_equal(repeated.test_indices, first.test_indices)
    np.testing.assert_array_equal(repeated.embeddings["pca"], first.embeddings["pca"])
    assert repeated.settings["repeats"] == 3


def test_stability_is_1_for_pca_and_tells_what_another_seed_finds_otherwise(repeated):
    rows = rows_of(repeated)
    assert rows["pca"]["stability"] == 1
    assert rows["drawn"]["stability"] == pytest.approx(0.5, abs=0.15)  # one of two columns
    assert 0 < rows["tsne"]["stability"] <= 1
    assert "stability" not in compare(*IRIS, methods="pca", random_state=5).columns


def test_a_method_that_fails_in_one_repeat_has_no_numbers_and_says_why(repeated):
    row = rows_of(repeated)["broken"]
    assert row["trustworthiness"] is None
    assert any("ArithmeticError: not this time" in note for note in row["notes"])


def test_the_table_the_files_and_the_figure_have_the_spreads(repeated, tmp_path):
    row, text = rows_of(repeated)["pca"], str(repeated)
    spread = f"{row['trustworthiness_std']:.3f}".removeprefix("0")
    cell = f"{row['trustworthiness']:.3f}±{spread}"
    assert cell in text.replace("*", "").replace(" ±", "±")
    assert "Means of 3 splits and seeds" in " ".join(text.split())
    assert "±" in repeated._repr_html_()
    repeated.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", encoding="utf-8", newline="") as file:
        line = next(csv.DictReader(file))
    assert float(line["reconstruction_r2_std"]) == row["reconstruction_r2_std"]
    repeated.to_json(tmp_path / "table.json")
    content = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert content["rows"] == repeated.rows
    frame = repeated.to_frame()
    assert frame.loc["pca", "knn_accuracy_std"] == row["knn_accuracy_std"]
    assert frame.columns.get_loc("stability") < frame.columns.get_loc("fit_seconds")
    figure = repeated.plot()
    assert any("±" in text.get_text() for ax in all_axes(figure) for text in ax.texts)


def all_axes(figure):
    """Return the axes of a figure, with those in its parts."""
    return [*figure.axes, *(ax for part in figure.subfigs for ax in all_axes(part))]
