"""AutoencoderImputer: scikit-learn's contract, and holes filled within a Pipeline."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderImputer,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    TableAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae.exceptions import IdleParameterWarning
from skae.noise import MaskingNoise


def small(n_components=2, **parameters):
    """Return a small autoencoder that takes holes and trains for a moment, on all rows."""
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False, "missing": "mask"}
    return AutoencoderTransformer(n_components, **defaults | parameters)


def quick(autoencoder=None, **parameters):
    """Return an imputer with a small autoencoder."""
    defaults = {"n_estimators": 1, "random_state": 0}
    return AutoencoderImputer(autoencoder or small(), **defaults | parameters)


@pytest.mark.slow
@parametrize_with_checks([AutoencoderImputer()])
def test_by_default_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks([quick(small(1))])
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def with_holes(X, share=0.2, seed=0):
    return np.where(np.random.RandomState(seed).uniform(size=X.shape) < share, np.nan, X)


@pytest.fixture(scope="module")
def iris():
    return with_holes(load_iris().data)


@pytest.fixture(scope="module")
def frame():
    rows = load_iris(as_frame=True).data
    return rows.mask(np.random.RandomState(0).uniform(size=rows.shape) < 0.2)


# What holes are filled with


def test_holes_are_filled_as_the_autoencoder_imputes_them(iris):
    new = with_holes(load_iris().data, seed=1)
    imputer = quick().fit(iris)
    alone = small(random_state=imputer.autoencoders_[0].random_state).fit(iris)
    np.testing.assert_array_equal(imputer.transform(new), imputer.autoencoders_[0].impute(new))
    np.testing.assert_array_equal(imputer.transform(new), alone.impute(new))


class OwnNoise:
    """A part of the user's, which keeps trainings from being one."""

    def corrupt(self, rows, generator):
        return MaskingNoise().corrupt(rows, generator)


@pytest.mark.parametrize(
    ("own", "how"),
    [
        ({"noise": "masking"}, {}),
        ({"noise": "masking"}, {"sample_weight": np.arange(150) % 3}),
        ({"noise": OwnNoise()}, {}),
        ({"noise": "masking", "dropout": 0.3}, {}),
        ({"normalization": "batch", "ordered": True}, {}),
        ({"noise": "masking", "early_stopping": True, "validation_fraction": 0.2}, {}),
        ({"early_stopping": True}, {"groups": np.arange(150) // 10}),
    ],
    ids=["as one", "weighted", "in turn", "drawing", "batch norm", "hold-out", "folds"],
)
def test_several_autoencoders_are_as_if_each_were_fitted_alone(iris, own, how):
    imputer = quick(small(**own), n_estimators=3).fit(iris, **how)
    alone = [
        small(**own, random_state=member.random_state).fit(iris, **how)
        for member in imputer.autoencoders_
    ]
    seeds = {member.random_state for member in alone}
    assert len(seeds) == 3
    assert quick().fit(iris).autoencoders_[0].random_state in seeds
    for member, other in zip(imputer.autoencoders_, alone, strict=True):
        np.testing.assert_allclose(member.loss_curve_, other.loss_curve_, rtol=1e-4)
        assert member.best_iter_ == other.best_iter_
    mean = np.mean([other.impute(iris) for other in alone], axis=0)
    np.testing.assert_allclose(imputer.transform(iris), mean, rtol=1e-4, atol=1e-4)
    there = ~np.isnan(iris)
    np.testing.assert_array_equal(imputer.transform(iris)[there], iris[there])


def test_several_autoencoders_fill_holes_better_than_one():
    X = StandardScaler().fit_transform(load_wine().data)
    holes = with_holes(X)
    hole = np.isnan(holes)
    several = AutoencoderImputer(random_state=0).fit(holes)
    error = np.square(several.transform(holes) - X)[hole].mean()
    alone = [np.square(member.impute(holes) - X)[hole].mean() for member in several.autoencoders_]
    assert error < min(alone)


def test_rows_far_out_do_not_throw_a_long_training_off_its_way():
    """With the solver's own average of squares the loss rises four-hundredfold."""
    X = with_holes(StandardScaler().fit_transform(load_breast_cancer().data), 0.5, seed=1)
    autoencoder = small(30, hidden_layer_sizes=(64, 64), missing="flag", noise="masking")
    autoencoder.set_params(max_iter="auto", random_state=0).fit(X)
    assert max(autoencoder.loss_curve_[20:]) < 2 * autoencoder.loss_curve_[9]


def test_values_that_are_there_are_left_as_they_are(iris):
    filled = quick().fit_transform(iris)
    there = ~np.isnan(iris)
    np.testing.assert_array_equal(filled[there], iris[there])
    assert np.isfinite(filled).all()


def test_rows_without_holes_come_back_unchanged(iris):
    complete = load_iris().data
    np.testing.assert_array_equal(quick().fit(iris).transform(complete), complete)
    np.testing.assert_array_equal(quick().fit_transform(complete), complete)


def test_columns_that_are_multiples_of_one_another_are_filled_nearly_exactly():
    random = np.random.RandomState(0)
    X = random.normal(size=(200, 1)) * random.uniform(0.5, 1.5, size=6)
    hole = random.uniform(size=X.shape) < 0.2
    hole[hole.all(axis=1)] = False
    filled = AutoencoderImputer(random_state=0).fit_transform(np.where(hole, np.nan, X))
    assert np.square(filled - X)[hole].sum() < 0.005 * np.square(X[hole]).sum()


def test_the_default_is_better_than_the_mean_on_new_rows():
    X = StandardScaler().fit_transform(load_wine().data)
    train, test = X[::2], X[1::2]
    holes = with_holes(test, seed=1)
    imputer = AutoencoderImputer(random_state=0).fit(with_holes(train))
    hole = np.isnan(holes)
    error = np.square(imputer.transform(holes) - test)[hole].mean()
    assert error < 0.8 * np.square(test)[hole].mean()
    assert imputer.autoencoders_[0].n_components == 13


def test_the_default_fills_holes_of_few_rows_whose_columns_have_different_variances(iris):
    filled, hole = AutoencoderImputer(random_state=0).fit_transform(iris), np.isnan(iris)
    complete, mean = load_iris().data, np.nanmean(iris, axis=0)
    error = np.square(filled - complete)[hole].mean()
    assert error < 0.4 * np.square(mean - complete)[hole].mean()


def test_the_only_column_is_filled_with_its_mean():
    X = np.array([[1.0], [2.0], [3.0], [np.nan]])
    filled = AutoencoderImputer(random_state=0).fit_transform(X)
    assert filled[3, 0] == pytest.approx(2, abs=0.1)


def test_images_are_filled_by_a_convolutional_autoencoder():
    X = load_digits().data[:100] / 16
    autoencoder = ConvolutionalAutoencoderTransformer(
        2, image_shape=(8, 8), channels=(4,), early_stopping=False, max_iter=2, missing="mask"
    )
    assert np.isfinite(quick(autoencoder).fit_transform(with_holes(X))).all()


# Within scikit-learn


def test_filled_rows_feed_the_next_step_of_a_pipeline(iris):
    y = load_iris().target
    pipeline = make_pipeline(quick(), StandardScaler(), LogisticRegression()).fit(iris, y)
    assert pipeline.score(iris, y) > 0.8
    grid = {"autoencoderimputer__autoencoder__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(iris, y)
    assert search.best_params_.keys() == grid.keys()


def test_a_target_in_the_shape_of_X_is_no_other_than_labels(iris):
    y = load_iris().data[:, ::-1]
    make_pipeline(quick(), LinearRegression()).fit(iris, y)
    np.testing.assert_array_equal(quick().fit_transform(iris, y), quick().fit_transform(iris))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_filled_rows_keep_the_names_of_their_columns(frame, container):
    imputer = quick().set_output(transform=container).fit(frame)
    filled = imputer.transform(frame)
    assert list(filled.columns) == list(frame.columns) == list(imputer.get_feature_names_out())
    np.testing.assert_array_equal(filled.to_numpy(), quick().fit(frame).transform(frame))
    assert isinstance(quick().fit_transform(frame), np.ndarray)


def test_names_and_rows_stay_what_they_are_in_a_column_transformer(frame):
    frame = frame.iloc[::-1].assign(kind=load_iris().target)
    some = list(frame.columns[:3])
    columns = ColumnTransformer(
        [("filled", quick(), some)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    filled = columns.fit_transform(frame)
    assert list(filled.columns) == list(frame.columns)
    assert list(filled.index) == list(frame.index)
    assert not filled[some].isna().any(axis=None)
    there = frame[some].notna()
    pd.testing.assert_frame_equal(filled[some].where(there), frame[some])


@pytest.mark.parametrize("autoencoder", [small(), small().set_output(transform="pandas")])
def test_the_container_is_that_of_the_imputer(frame, autoencoder):
    with config_context(transform_output="pandas"):
        assert isinstance(quick(autoencoder).fit_transform(frame), pd.DataFrame)
    assert isinstance(quick(autoencoder).fit_transform(frame), np.ndarray)


def test_the_autoencoder_knows_columns_by_their_names(frame):
    loss = {"absolute_error": list(frame.columns[:1]), "squared_error": list(frame.columns[1:])}
    imputer = quick(small(loss=loss)).fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert imputer.autoencoders_[0].transform(frame).shape == (150, 2)
    with pytest.raises(ValueError, match="feature names should match"):
        imputer.transform(frame[frame.columns[::-1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filled_rows_keep_their_dtype(iris, dtype):
    assert quick().fit_transform(iris.astype(dtype)).dtype == dtype


def test_a_pickled_imputer_fills_holes_alike(iris):
    imputer = quick().fit(iris)
    again = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(again.transform(iris), imputer.transform(iris))


# Randomness, weights, groups


def test_the_seed_is_that_of_the_autoencoder_unless_it_has_its_own(iris):
    def filled(own, seed):
        return quick(small(random_state=own), random_state=seed).fit_transform(iris)

    np.testing.assert_array_equal(filled(None, 0), filled(None, 0))
    assert not np.array_equal(filled(None, 0), filled(None, 1))
    assert not np.array_equal(filled(None, None), filled(None, None))
    np.testing.assert_array_equal(filled(7, 0), filled(7, None))


def test_the_first_of_several_has_the_seed_of_the_autoencoder(iris):
    own = small(random_state=5)
    first, second = quick(own, n_estimators=2).fit(iris).autoencoders_
    assert first.random_state == 5 != second.random_state
    np.testing.assert_allclose(first.impute(iris), clone(own).fit(iris).impute(iris), rtol=1e-5)
    with pytest.raises(ValueError, match="'random_state' parameter of AutoencoderTransformer"):
        quick(small(random_state=-1), n_estimators=2).fit(iris)


def test_the_callers_generators_are_left_alone(iris):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    quick(random_state=None).fit_transform(iris)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_weight_of_two_is_the_row_twice(iris):
    weight = np.random.RandomState(0).randint(0, 3, len(iris))
    weighted = quick().fit(iris, sample_weight=weight)
    repeated = quick().fit(np.repeat(iris, weight, axis=0))
    np.testing.assert_array_equal(weighted.transform(iris), repeated.transform(iris))


def test_a_weight_of_two_is_the_row_twice_for_the_default_where_it_grows_wider(iris):
    random = np.random.RandomState(0)
    X = np.round(random.normal(size=(260, 3)) + random.normal(size=(260, 1)), 3)
    X[random.uniform(size=X.shape) < 0.1] = np.nan
    weight = np.full(300, 2.0)
    weight[260:] = 0
    spare = np.vstack([X, random.normal(size=(40, 3))])
    weighted = AutoencoderImputer(random_state=0).fit(spare, sample_weight=weight)
    repeated = AutoencoderImputer(random_state=0).fit(np.repeat(X, 2, axis=0))
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))
    assert weighted.autoencoders_[0].hidden_layer_sizes == (64, 64)


def test_groups_are_held_out_as_the_autoencoder_holds_them_out(iris):
    autoencoder = small(early_stopping=True, validation_fraction=0.2, random_state=0)
    groups = np.arange(150) // 10
    alone = clone(autoencoder).fit(iris, groups=groups)
    curve = quick(autoencoder).fit(iris, groups=groups).autoencoders_[0].validation_loss_curve_
    assert curve == alone.validation_loss_curve_
    assert curve != quick(autoencoder).fit(iris).autoencoders_[0].validation_loss_curve_


def test_the_autoencoder_given_is_not_fitted(iris):
    autoencoder = small()
    imputer = quick(autoencoder).fit(iris)
    assert not hasattr(autoencoder, "module_")
    assert imputer.autoencoder is autoencoder


# What is refused


@pytest.mark.parametrize(
    ("autoencoder", "message"),
    [
        (small(missing="error"), "takes no missing values.*missing='flag'"),
        (small(0), "n_components"),
        (PCA(2), "'autoencoder' parameter"),
        (VariationalAutoencoderTransformer(2), "takes no missing values"),
    ],
    ids=["no holes", "no codes", "no autoencoder", "no imputation"],
)
def test_autoencoders_without_sense_are_refused(iris, autoencoder, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderImputer(autoencoder).fit(iris)


@pytest.mark.parametrize("n_estimators", [0, -1, 2.5, "auto"])
def test_a_number_of_autoencoders_without_sense_is_refused(iris, n_estimators):
    with pytest.raises(ValueError, match="'n_estimators' parameter"):
        quick(n_estimators=n_estimators).fit(iris)


def test_a_column_without_any_value_is_refused(iris):
    empty = iris.copy()
    empty[:, 2] = np.nan
    with pytest.raises(ValueError, match=r"no value in column 2.*\[2\]"):
        quick().fit(empty)
    assert np.isfinite(quick().fit(iris).transform(empty)).all()


def test_sparse_rows_are_refused():
    X = sp.csr_array(load_iris().data)
    with pytest.raises(TypeError, match=r"AutoencoderImputer takes dense rows: give X.toarray"):
        quick().fit(X)
    with pytest.raises(TypeError, match=r"AutoencoderImputer takes dense rows: give X.toarray"):
        quick().fit(X.toarray()).transform(X)


def test_a_failed_fit_leaves_the_imputer_as_it_was(iris):
    imputer = quick().fit(iris)
    before = imputer.transform(iris)
    imputer.set_params(autoencoder__n_components=0)
    with pytest.raises(ValueError, match="n_components"):
        imputer.fit(iris[:, :3])
    np.testing.assert_array_equal(imputer.transform(iris), before)


def test_an_unfitted_imputer_says_so(iris):
    with pytest.raises(NotFittedError):
        quick().transform(iris)


def test_what_its_autoencoder_can_not_use_is_a_warning(iris):
    imputer = AutoencoderImputer(small(warm_start=True), random_state=0)
    with pytest.warns(IdleParameterWarning, match="warm_start=True has no effect"):
        imputer.fit(iris)


def test_a_variational_autoencoder_fills_holes_too(iris):
    variational = VariationalAutoencoderTransformer(
        2, missing="mask", max_iter=3, early_stopping=False
    )
    imputer = quick(variational).fit(iris)
    filled = imputer.transform(iris)
    np.testing.assert_array_equal(filled, imputer.autoencoders_[0].impute(iris))
    assert np.isfinite(filled).all()


# Tables


def people(n_rows=120, seed=0):
    """Return a table of which one hidden number decides all."""
    random = np.random.RandomState(seed)
    hidden = random.normal(size=n_rows)
    return pd.DataFrame(
        {
            "height": 170 + 10 * hidden + random.normal(size=n_rows),
            "size": pd.Categorical(np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])], [*"SMLX"]),
            "tall": pd.array(hidden > 0, dtype="boolean"),
            "team": np.where(hidden > 0.3, "red", "blue").astype(object),
            "shoe": pd.array((42 + 2 * hidden).round().astype(int), dtype="Int64"),
            "met": pd.Timestamp("2020-01-01") + pd.to_timedelta((1000 * hidden).round(), unit="h"),
        },
        index=np.arange(n_rows) + 1000,
    )


@pytest.fixture(scope="module")
def table():
    return people().mask(np.random.RandomState(1).uniform(size=(120, 6)) < 0.15)


@pytest.fixture(scope="module")
def of_table(table):
    autoencoder = small(6, missing="flag", noise="masking", max_iter=80, hidden_layer_sizes=16)
    return AutoencoderImputer(autoencoder, random_state=0).fit(table)


def test_a_table_comes_back_with_its_holes_filled(table, of_table):
    filled, complete = of_table.transform(table), people()
    pd.testing.assert_series_equal(filled.dtypes, table.dtypes)
    assert filled.index.equals(table.index)
    assert not filled.isna().any(axis=None)
    for name in table:
        known = table[name].notna()
        assert (filled[name] == table[name])[known].all()
    hole = table["height"].isna()
    error = (filled["height"] - complete["height"])[hole].abs().mean()
    assert error < 0.4 * (complete["height"].mean() - complete["height"])[hole].abs().mean()
    right = [
        (filled[name] == complete[name])[table[name].isna()].mean()
        for name in ("size", "tall", "team")
    ]
    assert np.mean(right) > 0.75  # the most frequent is right in half
    assert list(of_table.get_feature_names_out()) == list(table)
    assert of_table.n_features_in_ == 6


def test_the_encoder_knows_which_columns_of_the_table_are_missing(of_table):
    flags = of_table.autoencoders_[0].module_.encoder.body[0]
    sources = of_table.encoder_.source_columns_
    assert [sources[i] for i in flags.columns] == list(of_table.feature_names_in_)


def test_tables_of_polars_are_filled_as_those_of_pandas(table, of_table):
    some = table.drop(columns="size").reset_index(drop=True)
    columns = pl.from_pandas(some)
    imputer = quick(small(missing="flag", noise="masking"))
    filled = imputer.fit(columns).transform(columns)
    assert filled.schema == columns.schema
    assert filled.null_count().sum_horizontal().item() == 0
    np.testing.assert_array_equal(filled["height"], clone(imputer).fit_transform(some)["height"])


def test_a_table_is_filled_before_the_next_step(table):
    encoder = ColumnTransformer([("words", OneHotEncoder(), ["size", "team"])])
    y = np.arange(120) % 2
    pipeline = make_pipeline(quick(), encoder, LogisticRegression()).fit(table, y)
    assert pipeline[:-1].transform(table).shape == (120, 5)
    in_pandas = quick().set_output(transform="pandas").fit_transform(table)
    pd.testing.assert_frame_equal(in_pandas, quick().fit_transform(table))


def assert_alike(first, second):
    """Assert that tables are the same, but for the rounding of numbers and dates."""
    first, second = (one.assign(met=one["met"].astype("int64")) for one in (first, second))
    pd.testing.assert_frame_equal(first, second, rtol=1e-5, check_exact=False)


def test_an_autoencoder_of_tables_may_be_given(table):
    whole = TableAutoencoderTransformer(3, autoencoder=small(missing="flag"), random_state=0)
    filled = quick(whole).fit_transform(table)
    assert_alike(filled, clone(whole).fit(table).impute(table))
    # One of rows is put into one of tables, where a hole is always masked at least.
    within = clone(whole).set_params(autoencoder__missing="error")
    imputer = quick(small(3)).fit(table)
    within.set_params(random_state=imputer.autoencoders_[0].random_state).fit(table)
    assert_alike(imputer.transform(table), within.impute(table))
    numbers = table[["height", "shoe"]]
    pd.testing.assert_series_equal(quick(whole).fit_transform(numbers).dtypes, numbers.dtypes)


def test_parameters_of_a_given_autoencoder_of_tables_are_checked(table):
    class Mean(BaseEstimator):
        def fit(self, X): ...

    with pytest.raises(ValueError, match="'autoencoder' parameter of TableAutoencoderTransformer"):
        quick(TableAutoencoderTransformer(2, autoencoder=Mean())).fit(table)


def test_an_autoencoder_of_the_users_own_is_fitted_by_its_own_method(iris):
    class Counting(AutoencoderTransformer):
        n_fits = 0

        def fit(self, X, y=None, sample_weight=None, groups=None):
            Counting.n_fits += 1
            return super().fit(X, y, sample_weight, groups)

    own = Counting(1, hidden_layer_sizes=8, max_iter=2, early_stopping=False, missing="mask")
    quick(own, n_estimators=2).fit(iris)
    assert Counting.n_fits == 2


def test_words_need_an_autoencoder_that_can_have_a_loss_of_words(table):
    class OfRows(BaseEstimator):
        def fit(self, X): ...
        def impute(self, X): ...
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.allow_nan = True
            return tags

    with pytest.raises(ValueError, match="takes rows of numbers, but X has columns of words"):
        AutoencoderImputer(OfRows()).fit(table)


def test_an_imputer_of_tables_pickles_and_is_fitted_again_to_rows(table, of_table, iris):
    again = pickle.loads(pickle.dumps(of_table))
    pd.testing.assert_frame_equal(again.transform(table), of_table.transform(table))
    again.set_params(autoencoder=small(), n_estimators=1).fit(iris)
    np.testing.assert_array_equal(again.transform(iris), quick().fit_transform(iris))
    assert not hasattr(again, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 0 rows"):
        again.fit(table[:0])
    np.testing.assert_array_equal(again.transform(iris), quick().fit_transform(iris))


def test_of_tables_and_of_rows_the_default_has_flags_and_as_many_codes_as_columns(table, iris):
    (of_rows, *_) = AutoencoderImputer(random_state=0).fit(iris[:12]).autoencoders_
    imputer = AutoencoderImputer(random_state=0).fit(table[:12])
    (of_table, *_) = imputer.autoencoders_
    for autoencoder, n_columns in ((of_rows, 4), (of_table, 6)):
        assert autoencoder.n_components_ == n_columns
        assert (autoencoder.missing, autoencoder.early_stopping) == ("flag", False)
    assert of_rows.noise == "masking"
    np.testing.assert_array_equal(of_table.noise.groups, imputer.encoder_.source_columns_)
