"""StackedAutoencoderClassifier: scikit-learn's contract, its stages, and rows without a label."""

import copy
import io
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    make_blobs,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    PredefinedSplit,
    ShuffleSplit,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import (
    check_classifier_multioutput,
    parametrize_with_checks,
)
from skorch.callbacks import Callback

from skae import AutoencoderTransformer, StackedAutoencoderClassifier
from skae.exceptions import MarkerAmongClassesWarning
from skae.joint import Ladder
from skae.metrics import labeled_scorer
from skae.noise import NOISES, GaussianNoise, MaskingNoise
from skae.penalty import KLSparsity, L1Sparsity

CHECKED = [
    StackedAutoencoderClassifier(
        (16, 8),
        pretrain=False,
        dropout=0.1,
        label_smoothing=0.1,
        batch_size=50,
        max_iter=15,
        learning_rate_init=0.01,
    ),
    StackedAutoencoderClassifier(
        16,
        activation="tanh",
        tied_weights=True,
        penalty="l1",
        pretrain_noise=MaskingNoise(0.1),
        loss="huber",
        fine_tune=False,
        pretrain_max_iter=5,
        softmax_max_iter=20,
        softmax_learning_rate_init=0.03,
        batch_size=50,
    ),
    StackedAutoencoderClassifier(
        (16, 8),
        freeze_encoder=True,
        normalization="layer",
        pretrain_max_iter=[3, 2],
        max_iter=20,
        learning_rate_init=0.03,
        batch_size=50,
        unlabeled=-7,
    ),
    StackedAutoencoderClassifier(
        (16, 8),
        early_stopping=True,
        validation_fraction=0.2,
        scoring="loss",
        normalization="batch",
        noise="gaussian",
        pretrain_max_iter=3,
        softmax_max_iter=10,
        max_iter=15,
        learning_rate_init=0.01,
        batch_size=50,
        missing="mask",
        class_weight="balanced",
    ),
    StackedAutoencoderClassifier(
        8,
        joint=Ladder(0.1, weights=(0.0, 1.0)),
        activation="silu",
        alpha=0.01,
        unlabeled="?",
        missing="mask",
        batch_size=50,
        learning_rate_init=0.01,
        max_iter=15,
    ),
]


# A check sets n_iter_no_change of whatever has it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skae.exceptions.IdleParameterWarning")
@parametrize_with_checks([StackedAutoencoderClassifier()])
def test_by_default_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::skae.exceptions.IdleParameterWarning")
@parametrize_with_checks(CHECKED)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, train_size=600, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def quick(hidden_layer_sizes=(16, 8), **parameters):
    """Return a small classifier that trains for a moment, whichever stages it has."""
    defaults = {"random_state": 0, "pretrain_max_iter": 2, "softmax_max_iter": 3, "max_iter": 3}
    pretrain, fine_tune = parameters.get("pretrain", True), parameters.get("fine_tune", True)
    joint = parameters.get("joint") is not None
    if joint or not pretrain:
        del defaults["pretrain_max_iter"]
    if joint or (fine_tune and (not pretrain or parameters.get("freeze_encoder"))):
        del defaults["softmax_max_iter"]
    if not fine_tune:
        del defaults["max_iter"]
    return StackedAutoencoderClassifier(hidden_layer_sizes, **defaults | parameters)


def state_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def some_unlabeled(y, n_labeled, marker=-1):
    """Return labels of which all but the first few of each class are gone."""
    y = y.copy()
    for label in np.unique(y):
        y[np.flatnonzero(y == label)[n_labeled:]] = marker
    return y


# The stages


def test_each_stage_leaves_what_it_gave(digits):
    X, X_test, y, y_test = digits
    classifier = quick(pretrain_max_iter=(3, 2), softmax_max_iter=20, max_iter=30).fit(X, y)
    names = ["layer 1", "layer 2", "softmax layer", "fine-tuning"]
    assert [stage.name for stage in classifier.stages_] == names
    assert [len(stage.loss_curve) for stage in classifier.stages_] == [3, 2, 20, 30]
    assert [stage.best_iter for stage in classifier.stages_] == [3, 2, 20, 30]
    assert classifier.stages_[-1].score == classifier.score(X, y)
    assert classifier.loss_curve_ == classifier.stages_[-1].loss_curve
    assert classifier.score(X_test, y_test) > 0.9


def test_the_score_of_a_layer_is_its_r2(digits):
    X, _, y, _ = digits
    classifier = quick().fit(X, y)
    rows = torch.from_numpy(X).float()
    for stage, autoencoder in zip(classifier.stages_, classifier.autoencoders_, strict=False):
        with torch.no_grad():
            codes = autoencoder.encoder(rows)
            error = (autoencoder.decoder(codes) - rows).square().sum()
        total = (rows - rows.mean(dim=0)).square().sum()
        assert stage.score == pytest.approx(1 - float(error / total), abs=1e-3)
        rows = codes


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"pretrain": False}, ["fine-tuning"]),
        ({"fine_tune": False}, ["layer 1", "layer 2", "softmax layer"]),
        ({"freeze_encoder": True}, ["layer 1", "layer 2", "fine-tuning"]),
        ({"pretrain": False, "fine_tune": False}, ["softmax layer"]),
        ({"pretrain": False, "freeze_encoder": True}, ["fine-tuning"]),
        ({"joint": "ladder"}, ["joint training"]),
    ],
)
def test_stages_can_be_left_out(iris, parameters, names):
    classifier = quick(**parameters).fit(*iris)
    assert [stage.name for stage in classifier.stages_] == names


def test_pretraining_is_that_of_the_transformer(digits):
    """A first layer alone is the first layer of a pretrained autoencoder, to the last bit."""
    X, _, y, _ = digits
    how = {"random_state": 0, "activation": "tanh"}
    classifier = StackedAutoencoderClassifier(
        12, pretrain_max_iter=4, pretrain_noise=None, fine_tune=False, loss="squared_error", **how
    ).fit(X, y)
    transformer = AutoencoderTransformer(
        5,
        hidden_layer_sizes=12,
        init="random",
        pretrain=True,
        max_iter=4,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        early_stopping=False,
        **how,
    ).fit(X)
    assert classifier.stages_[0].loss_curve == pytest.approx(
        transformer.pretraining_loss_curves_[0], rel=0.05
    )


def test_pretraining_changes_the_start_of_fine_tuning(digits):
    X, _, y, _ = digits
    pretrained = quick(pretrain_max_iter=20).fit(X, y)
    random = quick(pretrain=False).fit(X, y)
    assert pretrained.loss_curve_[0] < 0.7 * random.loss_curve_[0]


def test_fine_tuning_does_not_rewrite_the_autoencoders(digits):
    X, _, y, _ = digits
    tuned = quick(max_iter=10).fit(X, y)
    fixed = quick(fine_tune=False).fit(X, y)
    for one, other in zip(tuned.autoencoders_, fixed.autoencoders_, strict=True):
        assert same(one.state_dict(), other.state_dict())
    assert not same(tuned.module_.encoder.state_dict(), fixed.module_.encoder.state_dict())
    before = [state_of(autoencoder) for autoencoder in tuned.autoencoders_]
    tuned.partial_fit(X, y)
    for state, autoencoder in zip(before, tuned.autoencoders_, strict=True):
        assert same(state, autoencoder.state_dict())


@pytest.mark.parametrize("normalization", [None, "batch"])
@pytest.mark.parametrize("parameters", [{"fine_tune": False}, {"freeze_encoder": True}])
def test_a_frozen_encoder_stays_as_pretraining_left_it(digits, parameters, normalization):
    X, _, y, _ = digits
    how = {"normalization": normalization, "dropout": 0.1}
    classifier = quick(**parameters, **how).fit(X, y)
    rows = torch.from_numpy(X).float()
    codes = rows
    with torch.no_grad():
        for autoencoder in classifier.autoencoders_:
            codes = autoencoder.encoder(codes)
        torch.testing.assert_close(classifier.module_.encoder(rows), codes)
    assert all(weight.requires_grad for weight in classifier.module_.encoder.parameters())
    before = state_of(classifier.module_.encoder)
    classifier.partial_fit(X, y)
    assert same(before, classifier.module_.encoder.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{"fine_tune": False}, {"freeze_encoder": True}])
def test_frozen_identity_layers_are_a_logistic_regression_on_the_codes(parameters):
    X, y = make_blobs(400, n_features=4, centers=3, cluster_std=4.0, random_state=0)
    X = X.astype(np.float64)
    how = {"max_iter": 300, "learning_rate_init": 0.03}
    if "fine_tune" in parameters:
        how = {f"softmax_{name}": value for name, value in how.items()}
    classifier = StackedAutoencoderClassifier(
        (4, 4),
        activation="identity",
        pretrain_noise=None,
        loss="squared_error",
        pretrain_max_iter=300,
        batch_size=100,
        random_state=0,
        **how,
        **parameters,
    ).fit(X, y)
    assert all(stage.score > 0.999 for stage in classifier.stages_[:2])  # layers learn the identity
    codes = classifier.transform(X)
    regression = LogisticRegression(C=np.inf, max_iter=1000).fit(codes, y)
    np.testing.assert_allclose(
        classifier.predict_proba(X), regression.predict_proba(codes), atol=0.01
    )


def test_tied_weights_are_the_transposes(digits):
    X, _, y, _ = digits
    classifier = quick(tied_weights=True).fit(X, y)
    for autoencoder in classifier.autoencoders_:
        into, out_of = autoencoder.encoder.body[0], autoencoder.decoder.body[0]
        assert into.weight is out_of.weight


def test_the_loss_of_the_first_layer_follows_from_the_data(digits):
    X, _, y, _ = digits
    for data, bounded in ((X, True), (X - 0.5, False), (sp.csr_array(X), True)):
        classifier = quick(fine_tune=False, softmax_max_iter=1).fit(data, y)
        decoder = classifier.autoencoders_[0].decoder
        assert (decoder.activation is not None) == bounded
        assert classifier.autoencoders_[1].decoder.activation is None


class Modes(Callback):
    """Remember which modules are in training mode when a batch begins."""

    def on_batch_begin(self, net, training=False, **kwargs):
        network = net.module_
        self.seen = {part: getattr(network, part).training for part in ("encoder", "head")}


@pytest.mark.parametrize("pretrain", [True, False])
@pytest.mark.parametrize("freeze_encoder", [True, False])
def test_dropout_and_normalization_are_active_in_fine_tuning(iris, pretrain, freeze_encoder):
    modes = Modes()
    classifier = quick(
        pretrain=pretrain, freeze_encoder=freeze_encoder, normalization="batch", callbacks=[modes]
    )
    classifier.fit(*iris).partial_fit(*iris)
    assert modes.seen == {"encoder": not freeze_encoder, "head": True}
    norms = [m for m in classifier.module_.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    moved = norms[0].running_mean.abs().max() > 0
    assert moved == (pretrain or not freeze_encoder)


@pytest.mark.slow
def test_dropout_hinders_fine_tuning_from_learning_by_heart(digits):
    X, _, y, _ = digits
    losses = [
        quick(dropout=dropout, max_iter=30, pretrain_max_iter=1).fit(X, y).loss_curve_[-1]
        for dropout in (0.0, 0.5)
    ]
    assert losses[1] > 3 * losses[0]


def test_a_penalty_changes_the_codes_of_all_layers(digits):
    X, _, y, _ = digits
    activity = {}
    for penalty in (None, L1Sparsity(0.1)):
        classifier = quick(penalty=penalty, pretrain_max_iter=15, fine_tune=False).fit(X, y)
        codes = torch.from_numpy(X).float()
        sums = []
        for autoencoder in classifier.autoencoders_:
            with torch.no_grad():
                codes = autoencoder.encoder(codes)
            sums.append(float(codes.abs().mean()))
        activity[penalty is None] = sums
    assert activity[False][0] < 0.8 * activity[True][0]
    assert activity[False][1] < 0.8 * activity[True][1]


def test_the_progress_bar_says_which_stage_runs(iris, capsys):
    quick(verbose=True).fit(*iris)
    shown = capsys.readouterr().err
    for name in ("layer 1 of 2", "layer 2 of 2", "softmax layer", "fine-tuning"):
        assert name in shown
    quick(joint="ladder", verbose=True).fit(*iris)
    assert "joint training" in capsys.readouterr().err


class Counter(Callback):
    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(type(net.module_).__name__)


def test_callbacks_see_the_last_stage(iris):
    for parameters, n_epochs in (({}, 3), ({"fine_tune": False}, 3), ({"joint": "ladder"}, 3)):
        counter = Counter()
        quick(callbacks=[counter], **parameters).fit(*iris)
        assert len(counter.epochs) == n_epochs


def test_a_stage_ends_when_nothing_is_left_to_gain():
    X, y = make_blobs(60, centers=2, cluster_std=0.1, random_state=0)
    classifier = StackedAutoencoderClassifier(
        (16, 8), pretrain=False, max_iter=300, tol=0.01, random_state=0
    ).fit(X, y)
    assert classifier.n_iter_ < 300
    assert classifier.loss_curve_[-1] < 0.01 <= min(classifier.loss_curve_[:-1])


# Labels


@pytest.mark.parametrize(
    "names",
    [
        np.array(["setosa", "versicolor", "virginica"]),
        np.array([10, -1, 3]),
        np.array([0.0, 1.5, 2.0]) * 2,
        np.array(["a", "b", "c"], dtype=object),
    ],
)
def test_labels_of_any_type(iris, names):
    X, y = iris
    classifier = quick(max_iter=100).fit(X, names[y])
    np.testing.assert_array_equal(classifier.classes_, np.unique(names))
    predicted = classifier.predict(X)
    assert predicted.dtype == classifier.classes_.dtype
    assert (predicted == names[y]).mean() > 0.8
    np.testing.assert_array_equal(
        predicted, classifier.classes_[classifier.predict_proba(X).argmax(axis=1)]
    )


def test_two_classes_of_booleans(iris):
    X, y = iris
    classifier = quick(max_iter=20).fit(X, y == 0)
    assert classifier.classes_.tolist() == [False, True]
    assert classifier.score(X, y == 0) > 0.95


def test_probabilities_add_up_and_their_logarithms_are_theirs(iris):
    X, y = iris
    classifier = quick().fit(X, y)
    probability = classifier.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probability), classifier.predict_log_proba(X), atol=1e-9)
    with torch.no_grad():
        logits = classifier.module_(torch.from_numpy((X - X.mean(0)) / classifier.scale_).float())
    expected = logits.logits.softmax(dim=1).numpy()
    np.testing.assert_allclose(probability, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(iris, dtype):
    X, y = iris
    classifier = quick().fit(X.astype(dtype), y)
    for result in (
        classifier.transform(X.astype(dtype)),
        classifier.predict_proba(X.astype(dtype)),
        classifier.inverse_transform(classifier.transform(X.astype(dtype))),
    ):
        assert result.dtype == dtype


def test_the_last_training_loss_is_the_cross_entropy(iris):
    """Of an epoch with next to no step: that of the probabilities before and after."""
    X, y = iris
    for smoothing in (0.0, 0.2):
        classifier = quick(
            pretrain=False, max_iter=1, learning_rate_init=1e-12, label_smoothing=smoothing
        ).fit(X, y)
        log_probability = classifier.predict_log_proba(X)
        target = np.eye(3)[y] * (1 - smoothing) + smoothing / 3
        expected = -(target * log_probability).sum(axis=1).mean()
        assert classifier.loss_curve_[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_a_weight_of_two_is_the_row_twice(iris, joint):
    X, y = iris
    weight = np.random.RandomState(0).randint(0, 3, len(y))
    weighted = quick(joint=joint).fit(X, y, sample_weight=weight)
    repeated = quick(joint=joint).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_rows_that_differ_in_their_label_alone_are_two():
    X = np.repeat(np.random.RandomState(0).normal(size=(30, 3)), 2, axis=0)
    y = np.tile([0, 1], 30)
    classifier = quick(pretrain=False, max_iter=100).fit(X, y)
    np.testing.assert_allclose(classifier.predict_proba(X), 0.5, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("joint", [None, "ladder"])
def test_class_weights_are_weights_of_labels(iris, joint):
    """Those of a dictionary shift probabilities, and "balanced" makes up for rare classes."""
    X, y = iris
    how = {"joint": joint, "max_iter": 20}
    plain, shifted = (
        quick(class_weight=weight, **how).fit(X, y).predict_proba(X)[:, 1].mean()
        for weight in (None, {1: 20})
    )
    assert shifted > plain + 0.03
    rare = np.r_[0:50, 50:56, 100:150]
    counts = np.bincount(y[rare])
    by_hand = {label: len(rare) / (3 * counts[label]) for label in range(3)}
    balanced, same = (
        quick(class_weight=weight, **how).fit(X[rare], y[rare]).predict_proba(X)
        for weight in ("balanced", by_hand)
    )
    np.testing.assert_allclose(balanced, same, atol=1e-5)


# Rows without a label


@pytest.mark.parametrize("joint", [None, "ladder"])
@pytest.mark.parametrize(
    ("names", "marker"),
    [
        ([0, 1, 2], -1),
        (["a", "b", "c"], "?"),
        ([0.0, 1.0, 2.0], np.nan),
        (np.array(["a", "b", "c"], dtype=object), np.nan),
        (np.array(["a", "b", "c"], dtype=object), None),
    ],
)
def test_marked_rows_change_the_encoder_and_not_the_classes(iris, names, marker, joint):
    X, y = iris
    names = np.asarray(names)
    labels = names.astype(object if names.dtype == object else names.dtype)[y]
    missing = np.random.RandomState(0).permutation(len(y))[:100]
    labels[missing] = marker
    unlabeled = np.nan if marker is None else marker
    kept = np.setdiff1d(np.arange(len(y)), missing)
    partly = quick(joint=joint, unlabeled=unlabeled).fit(X, labels)
    alone = quick(joint=joint).fit(X[kept], names[y][kept])
    np.testing.assert_array_equal(partly.classes_, names)
    assert partly.classes_.dtype == alone.classes_.dtype
    assert set(partly.predict(X)) <= set(names.tolist())
    assert not same(partly.module_.encoder.state_dict(), alone.module_.encoder.state_dict())
    # The score is that of the rows that have a label.
    assert partly.score(X, labels) == accuracy_score(names[y][kept], partly.predict(X[kept]))


def test_marked_rows_take_no_part_in_what_is_supervised(iris):
    """Without pretraining, but for mean and scale, they are as good as not there."""
    X, y = iris
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = some_unlabeled(y, 30)
    rest = labels == -1
    mirrored = np.r_[X, -X[rest]]  # other rows without a label, of the same mean and scale
    one = quick(pretrain=False, unlabeled=-1).fit(np.r_[X, X[rest]], np.r_[labels, labels[rest]])
    other = quick(pretrain=False, unlabeled=-1).fit(mirrored, np.r_[labels, labels[rest]])
    assert len(one.loss_curve_) == len(other.loss_curve_)
    assert one.stages_[-1].score == one.score(X, labels)


@pytest.mark.filterwarnings("error")
def test_the_marker_is_a_class_if_it_is_not_said_to_be_one(iris):
    X, y = iris
    assert quick().fit(X, 2 * (y > 0) - 1).classes_.tolist() == [-1, 1]
    with pytest.warns(MarkerAmongClassesWarning, match="say so: unlabeled=-1") as warned:
        classifier = quick().fit(X, y - 1)
    assert classifier.classes_.tolist() == [-1, 0, 1]
    assert warned[0].filename == __file__
    # Who says what it is, or what there is, hears nothing.
    assert quick(unlabeled=-1).fit(X, y - 1).classes_.tolist() == [0, 1]
    assert quick(unlabeled="?").fit(X, y - 1).classes_.tolist() == [-1, 0, 1]
    quick().partial_fit(X, y - 1, classes=[-1, 0, 1])


@pytest.mark.slow
def test_unlabeled_rows_help_where_labels_are_few(digits):
    X, X_test, y, y_test = digits
    labels = some_unlabeled(y, 3)
    with_rest = StackedAutoencoderClassifier(
        (64, 32), unlabeled=-1, joint="ladder", max_iter=30, random_state=0
    )
    few = labels != -1
    without = StackedAutoencoderClassifier((64, 32), pretrain=False, random_state=0)
    gain = with_rest.fit(X, labels).score(X_test, y_test)
    gain -= without.fit(X[few], y[few]).score(X_test, y_test)
    assert gain > 0.02


def test_scoring_rows_none_of_which_has_a_label_is_refused(iris):
    X, y = iris
    classifier = quick(unlabeled=-1).fit(X, y)
    with pytest.raises(ValueError, match="All 150 rows are marked unlabeled=-1"):
        classifier.score(X, np.full(len(y), -1))


def test_a_grid_search_scores_labelled_rows(iris):
    X, y = iris
    labels = some_unlabeled(y, 20)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick(unlabeled=-1, softmax_max_iter=1)),
        {"stackedautoencoderclassifier__max_iter": [1, 100]},
        cv=3,
    ).fit(X, labels)
    assert search.best_params_ == {"stackedautoencoderclassifier__max_iter": 100}
    assert search.best_score_ > 0.7


# Several labels for each row


@pytest.fixture(scope="module")
def topics():
    X, y = make_multilabel_classification(
        600, n_features=15, n_classes=4, n_labels=2, random_state=1
    )
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


@pytest.mark.slow
def test_an_indicator_matrix_is_learnt_as_well_as_by_scikit_learn(topics):
    X, X_test, y, y_test = topics
    how = {"max_iter": 40, "random_state": 0}
    classifier = StackedAutoencoderClassifier((32, 16), pretrain_max_iter=5, **how).fit(X, y)
    assert classifier.multilabel_
    assert classifier.classes_.tolist() == [0, 1, 2, 3]
    peer = MLPClassifier((32, 16), learning_rate_init=0.003, batch_size=32, **how)
    with pytest.warns(ConvergenceWarning):  # it takes no fewer epochs than it is given
        peer.fit(X, y)
    assert classifier.score(X_test, y_test) > peer.score(X_test, y_test) - 0.05
    ours, theirs = (
        f1_score(y_test, model.predict(X_test), average="micro") for model in (classifier, peer)
    )
    assert ours > max(0.7, theirs - 0.03)


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_what_is_told_of_indicators_has_the_shape_that_scikit_learn_gives_it(topics, joint):
    X, X_test, y, y_test = topics
    classifier = quick(joint=joint, max_iter=15).fit(X, y)
    probability = classifier.predict_proba(X_test)
    predicted = classifier.predict(X_test)
    assert probability.shape == predicted.shape == y_test.shape
    assert predicted.dtype == y.dtype
    np.testing.assert_array_equal(predicted, probability > 0.5)
    np.testing.assert_allclose(classifier.predict_log_proba(X_test), np.log(probability), atol=1e-6)
    assert classifier.score(X_test, y_test) == accuracy_score(y_test, predicted)
    assert classifier.stages_[-1].score == classifier.score(X, y)
    assert f1_score(y_test, predicted, average="micro") > 0.5
    single = quick(joint=joint).fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    assert single.dtype == np.float32
    loaded = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(loaded.predict(X_test), predicted)


@pytest.mark.parametrize("parameters", [{}, {"joint": "ladder"}, {"early_stopping": True}])
def test_it_passes_the_check_for_several_outputs(parameters):
    check_classifier_multioutput("classifier", quick(**parameters))


@pytest.mark.parametrize(
    "container", [np.ndarray.tolist, list, sp.csr_array, sp.csc_matrix, pd.DataFrame]
)
def test_indicators_of_any_kind_are_the_same(topics, container):
    X, _, y, _ = topics
    plain = quick().fit(X, y)
    other = quick().fit(X, container(y))
    np.testing.assert_array_equal(plain.predict_proba(X), other.predict_proba(X))
    assert plain.score(X, y) == plain.score(X, container(y))


def test_a_matrix_of_one_column_is_a_column(iris):
    X, y = iris
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        classifier = quick().fit(X, y[:, None])
    np.testing.assert_array_equal(classifier.predict(X), quick().fit(X, y).predict(X))


def test_one_hot_labels_are_indicators(iris):
    X, y = iris
    classifier = quick(max_iter=80).fit(X, np.eye(3)[y])
    assert classifier.predict(X).shape == (150, 3)
    assert (classifier.predict_proba(X).argmax(axis=1) == y).mean() > 0.8


def test_the_training_loss_of_indicators_is_the_sum_of_their_cross_entropies(topics):
    X, _, y, _ = topics
    for smoothing in (0.0, 0.2):
        classifier = quick(
            pretrain=False, max_iter=1, learning_rate_init=1e-12, label_smoothing=smoothing
        ).fit(X, y)
        probability = classifier.predict_proba(X)
        target = y * (1 - smoothing) + smoothing / 2
        losses = target * np.log(probability) + (1 - target) * np.log(1 - probability)
        assert classifier.loss_curve_[0] == pytest.approx(-losses.sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_a_weight_of_two_is_a_row_of_indicators_twice(topics, joint):
    X, _, y, _ = topics
    X, y = X[:150], y[:150]
    weight = np.random.RandomState(0).randint(0, 3, len(y))
    weighted = quick(joint=joint).fit(X, y, sample_weight=weight)
    repeated = quick(joint=joint).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("joint", [None, "ladder"])
def test_balanced_labels_are_told_as_often_as_not(topics, joint):
    X, _, y, _ = topics
    rare = np.flatnonzero((y[:, 0] == 0) | (np.arange(len(y)) % 8 == 0))
    plain, balanced, by_name = (
        quick(joint=joint, class_weight=weight, max_iter=20, softmax_max_iter=1)
        if joint is None
        else quick(joint=joint, class_weight=weight, max_iter=20)
        for weight in (None, "balanced", {1: 0.0})
    )
    shares = [
        model.fit(X[rare], y[rare]).predict_proba(X)[:, 0].mean() for model in (plain, balanced)
    ]
    assert shares[1] > shares[0] + 0.03
    # A label of no weight is not learnt; the others are.
    told, all_told = (model.fit(X, y).predict(X) == y for model in (by_name, plain))
    assert told[:, 1].mean() < all_told[:, 1].mean() - 0.05
    assert told[:, [0, 2, 3]].mean() > all_told[:, [0, 2, 3]].mean() - 0.05


@pytest.mark.parametrize("joint", [None, "ladder"])
@pytest.mark.parametrize("marker", [-1, np.nan])
def test_marked_rows_of_indicators_change_the_encoder_alone(topics, marker, joint):
    X, _, y, _ = topics
    labels = y.astype(float)
    labels[50:] = marker
    partly = quick(joint=joint, unlabeled=marker).fit(X, labels)
    alone = quick(joint=joint).fit(X[:50], y[:50])
    assert partly.predict(X).shape == y.shape
    assert not same(partly.module_.encoder.state_dict(), alone.module_.encoder.state_dict())
    assert partly.score(X, labels) == accuracy_score(y[:50], partly.predict(X[:50]))
    with pytest.raises(ValueError, match="marked unlabeled"):
        partly.score(X[50:], labels[50:])


@pytest.mark.slow
def test_a_search_scores_labelled_rows_of_indicators(topics):
    X, _, y, _ = topics
    labels = np.where(np.arange(len(y))[:, None] % 3 == 0, -1, y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick(unlabeled=-1, pretrain_max_iter=1)),
        {"stackedautoencoderclassifier__max_iter": [1, 40]},
        scoring=labeled_scorer("f1_micro", unlabeled=-1),
        cv=3,
    ).fit(X, labels)
    assert search.best_params_ == {"stackedautoencoderclassifier__max_iter": 40}
    assert search.best_score_ > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("joint", [None, "ladder"])
@pytest.mark.parametrize("scoring", ["accuracy", "loss"])
def test_indicators_held_out_tell_the_best_epoch(topics, scoring, joint):
    X, X_test, y, y_test = topics
    for fraction in (0.3, (X_test, y_test)):
        classifier = quick(
            early_stopping=True, scoring=scoring, validation_fraction=fraction, joint=joint
        ).set_params(max_iter=15)
        curve = classifier.fit(X, y).validation_loss_curve_
        assert classifier.best_iter_ == int(np.argmin(curve)) > 0
    score = classifier.score(X_test, y_test)
    assert classifier.stages_[-1].score == pytest.approx(score)
    if scoring == "accuracy":
        assert min(curve) == pytest.approx(1 - score)
    else:
        losses = [log_loss(y_test[:, j], classifier.predict_proba(X_test)[:, j]) for j in range(4)]
        assert min(curve) == pytest.approx(sum(losses), rel=1e-4)


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_partial_fit_knows_the_labels_by_their_columns(topics, joint):
    X, X_test, y, y_test = topics
    classifier = quick(joint=joint)
    for rows in np.array_split(np.arange(len(X)), 3) * 8:
        classifier.partial_fit(X[rows], y[rows])
    assert f1_score(y_test, classifier.predict(X_test), average="micro") > 0.6
    classifier.partial_fit(X, y, classes=range(4))
    with pytest.raises(ValueError, match="are other than in the first call"):
        classifier.partial_fit(X, y, classes=range(5))
    with pytest.raises(ValueError, match=r"matrix of 3 columns.*\[0, 1, 2, 3\] are expected"):
        classifier.partial_fit(X, y[:, :3])
    with pytest.raises(ValueError, match="an indicator matrix is expected"):
        classifier.partial_fit(X, y[:, 0])


def test_a_warm_start_keeps_the_kind_of_labels(topics):
    X, _, y, _ = topics
    classifier = quick(warm_start=True).fit(X, y)
    first = classifier.loss_curve_[-1]
    assert classifier.fit(X, y).loss_curve_[-1] < first
    with pytest.raises(ValueError, match="an indicator matrix is expected"):
        classifier.fit(X, y[:, 0])
    classifier.set_params(warm_start=False).fit(X, y[:, 0])
    assert not classifier.multilabel_
    with pytest.raises(ValueError, match="one label for each row is expected"):
        classifier.set_params(warm_start=True).fit(X, y)


def test_several_columns_of_classes_are_refused(iris):
    X, y = iris
    with pytest.raises(ValueError, match="for one that it has not"):
        quick().fit(X, np.c_[y, y])


# Missing values


def with_holes(X, share=0.2):
    X = X.copy()
    X[np.random.RandomState(0).uniform(size=X.shape) < share] = np.nan
    return X


@pytest.mark.parametrize("parameters", [{}, {"joint": "ladder"}, {"early_stopping": True}])
def test_without_holes_a_mask_changes_nothing(iris, parameters):
    X, y = iris
    plain, masked = (
        quick(missing=missing, **parameters).fit(X, y) for missing in ("error", "mask")
    )
    assert same(plain.module_.state_dict(), masked.module_.state_dict())
    assert plain.loss_curve_ == masked.loss_curve_
    assert plain.stages_ == masked.stages_
    np.testing.assert_array_equal(plain.predict_proba(X), masked.predict_proba(X))


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_a_hole_is_the_mean_of_its_column(iris, joint):
    X, y = iris
    X = with_holes(X)
    classifier = quick(missing="mask", joint=joint).fit(X, y)
    np.testing.assert_allclose(classifier.mean_, np.nanmean(X, axis=0))
    filled = np.where(np.isnan(X), classifier.mean_, X)
    for method in ("predict_proba", "predict_log_proba", "transform"):
        apply = getattr(classifier, method)
        np.testing.assert_allclose(apply(X), apply(filled), atol=1e-9)
    assert classifier.score(X, y) == classifier.score(filled, y)
    classifier.partial_fit(X, y)
    assert np.isfinite(classifier.predict_proba(X)).all()


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_pretraining_counts_known_values_only(digits, loss):
    """The loss of an epoch with next to no step, by hand, and the R2 of the first layer."""
    X, _, y, _ = digits
    X = with_holes(X)
    classifier = quick(
        missing="mask",
        loss=loss,
        pretrain_noise=None,
        pretrain_max_iter=1,
        pretrain_learning_rate_init=1e-12,
    ).fit(X, y)
    first = classifier.stages_[0]
    rows = torch.from_numpy(np.where(np.isnan(X), classifier.mean_, X)).float()
    autoencoder = classifier.autoencoders_[0]
    with torch.no_grad():
        rebuilt = autoencoder.decoder(autoencoder.encoder(rows)).double().numpy()
    error = np.where(np.isnan(X), 0, rebuilt - X)
    if loss == "squared_error":
        expected = np.square(error / classifier.scale_).mean()
    else:
        known = np.nan_to_num(X)
        terms = known * np.log(rebuilt) + (1 - known) * np.log(1 - rebuilt)
        expected = -np.where(np.isnan(X), 0, terms).mean()
    assert first.loss_curve[0] == pytest.approx(expected, rel=1e-4)
    variance = np.nansum(np.square(X - np.nanmean(X, axis=0)))
    assert first.score == pytest.approx(1 - np.square(error).sum() / variance, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("joint", [None, "ladder"])
def test_rows_with_holes_are_learnt_from(digits, joint):
    X, X_test, y, y_test = digits
    classifier = quick(
        (64, 32), missing="mask", joint=joint, max_iter=30, penalty=None if joint else "l1"
    ).fit(with_holes(X), y)
    assert classifier.score(with_holes(X_test), y_test) > 0.8


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_holes_are_refused_where_they_are_not_expected(iris, joint):
    X, y = iris
    holes = with_holes(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick(joint=joint).fit(holes, y)
    classifier = quick(joint=joint).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier.predict(holes)
    holes[:, 2] = np.nan
    with pytest.raises(ValueError, match="X has no value in column 2"):
        quick(joint=joint, missing="mask").fit(holes, y)


# Joint training


def test_the_parameters_of_the_ladder_are_those_of_a_grid(iris):
    X, y = iris
    classifier = quick(joint=Ladder(weights=(1.0, 1.0)))
    assert classifier.get_params()["joint__level"] == 0.3
    clone(classifier).set_params(joint__level=0.1).fit(X, y)


def test_the_noise_of_the_ladder_has_an_effect_and_is_reproducible(iris):
    X, y = iris
    first, again, other = (
        quick(joint=Ladder(level)).fit(X, y).predict_proba(X) for level in (0.3, 0.3, 0.6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


# Early stopping


@pytest.mark.slow
@pytest.mark.parametrize("joint", [None, "ladder"])
@pytest.mark.parametrize("scoring", ["accuracy", "loss"])
def test_the_epoch_that_is_kept_is_the_best_on_rows_held_out(digits, scoring, joint):
    X, _, y, _ = digits
    classifier = quick(
        early_stopping=True, scoring=scoring, validation_fraction=0.3, max_iter=20, joint=joint
    ).fit(X, y)
    last = classifier.stages_[-1]
    curve = classifier.validation_loss_curve_
    assert len(curve) == classifier.n_iter_ + 1
    assert classifier.best_iter_ == last.best_iter == int(np.argmin(curve))
    if scoring == "accuracy":
        assert last.score == pytest.approx(1 - min(curve))
    assert last.score > 0.4


def test_rows_held_out_are_a_share_of_each_class_and_seen_by_no_stage(digits):
    X, _, y, _ = digits
    rare = np.r_[
        np.flatnonzero(y == 0)[:30], np.flatnonzero(y == 1)[:4], np.flatnonzero(y == 2)[:1]
    ]
    classifier = quick(early_stopping=True, validation_fraction=0.2).fit(X[rare], y[rare])
    assert classifier.classes_.tolist() == [0, 1, 2]
    # The mean is that of all rows but 6 zeros and one 1.
    assert not np.allclose(classifier.mean_, X[rare].mean(axis=0))
    n_kept = len(rare) - 7
    total = X[rare].sum(axis=0) - n_kept * classifier.mean_
    assert total.min() >= -1e-9  # the sum of seven images
    few = quick(early_stopping=True).fit(X[:5], [0, 0, 1, 1, 1])
    assert few.validation_loss_curve_[0] in (0.0, 1.0)  # one row
    with pytest.raises(ValueError, match="each of 3 classes has a single one"):
        quick(early_stopping=True).fit(X[:3], [0, 1, 2])


def numbered(n_rows, numbers=None):
    """Return rows of noise beside a column for each number, with 1 for the row's own.

    After a fit, the means of those columns tell which numbers were trained on.
    """
    noise = np.random.RandomState(0).normal(size=(n_rows, 3))
    numbers = np.arange(n_rows) if numbers is None else numbers
    return np.c_[noise, numbers[:, None] == np.unique(numbers)]


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_groups_are_held_out_as_a_whole(joint):
    groups = np.repeat(np.arange(12), 5)
    y = np.tile([0, 1], 30)
    X = numbered(60, groups)
    how = {"early_stopping": True, "validation_fraction": 0.25, "joint": joint}
    classifier = quick(**how).fit(X, y, groups=[f"person {group}" for group in groups])
    trained = classifier.mean_[3:]
    np.testing.assert_allclose(trained[trained > 0], 1 / np.count_nonzero(trained))
    assert 2 <= np.count_nonzero(trained == 0) <= 4
    # Without groups, some of each are trained on.
    assert (quick(**how).fit(X, y).mean_[3:] > 0).all()


def test_groups_do_not_matter_where_none_are_held_out(iris):
    X, y = iris
    plain, grouped = (quick().fit(X, y, groups=groups) for groups in (None, np.arange(150) % 7))
    np.testing.assert_array_equal(plain.predict_proba(X), grouped.predict_proba(X))


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_the_first_split_of_a_splitter_is_held_out(joint):
    X, y = numbered(40), np.tile([0, 1], 20)
    splitter = ShuffleSplit(3, test_size=0.3, random_state=1)
    training, held_out = next(splitter.split(X, y))
    classifier = quick(early_stopping=True, validation_fraction=splitter, joint=joint).fit(X, y)
    np.testing.assert_allclose(classifier.mean_[3:][training], 1 / len(training))
    assert not classifier.mean_[3:][held_out].any()
    score = classifier.score(X[held_out], y[held_out])
    assert classifier.stages_[-1].score == pytest.approx(score)


def test_a_splitter_sees_the_groups():
    groups = np.repeat(np.arange(10), 4)
    X, y = numbered(40, groups), np.tile([0, 1], 20)
    splitter = GroupShuffleSplit(1, test_size=0.2, random_state=0)
    classifier = quick(early_stopping=True, validation_fraction=splitter)
    classifier.fit(X, y, groups=groups)
    held_out = next(splitter.split(X, y, groups))[1]
    np.testing.assert_array_equal(
        np.flatnonzero(classifier.mean_[3:] == 0), np.unique(groups[held_out])
    )


@pytest.mark.parametrize("joint", [None, "ladder"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_a_validation_set_judges_and_is_not_trained_on(digits, container, joint):
    X, X_test, y, y_test = digits
    X_test, y_test = X_test[:200], y_test[:200]
    classifier = quick(
        early_stopping=True, validation_fraction=(container(X_test), y_test), joint=joint
    ).fit(container(X), y)
    np.testing.assert_allclose(classifier.mean_, X.mean(axis=0))
    score = classifier.score(X_test, y_test)
    assert classifier.stages_[-1].score == pytest.approx(score)
    assert min(classifier.validation_loss_curve_) == pytest.approx(1 - score)
    # Other labels there choose another epoch at most: all curves of training are the same.
    other = clone(classifier).set_params(validation_fraction=(container(X_test), y_test[::-1]))
    other.fit(container(X), y)
    n_epochs = min(len(classifier.loss_curve_), len(other.loss_curve_))
    if joint is None:
        assert classifier.stages_[0].loss_curve == other.stages_[0].loss_curve
    else:
        assert classifier.loss_curve_[:n_epochs] == other.loss_curve_[:n_epochs]


def test_rows_without_a_label_judge_nothing(iris):
    X, y = iris
    labels = some_unlabeled(y, 30)
    some = np.r_[0:10, 40:60, 100:110]
    how = {"early_stopping": True, "unlabeled": -1}
    classifier = quick(validation_fraction=(X[some], labels[some]), **how).fit(X, labels)
    known = labels[some] >= 0
    score = classifier.score(X[some][known], y[some][known])
    assert classifier.stages_[-1].score == pytest.approx(score)


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (np.zeros((4, 4)), "validation_fraction has rows without labels"),
        ((np.zeros((4, 4)), None), "validation_fraction has rows without labels"),
        ((np.zeros((4, 3)), [0, 1, 2, 0]), "X has 3 features"),
        ((np.zeros((4, 4)), [0, 1, 2, 9]), r"labels \[9\], which are not among the classes"),
        ((np.zeros((4, 4)), np.eye(4)), "one label for each row is expected"),
        ((np.eye(4), [-1] * 4), "None of the 4 rows held out has a label"),
        (PredefinedSplit([-1] * 150), "has no split"),
        (PredefinedSplit([0] * 50 + [-1] * 100), "None of the .* rows to train on has a label"),
        (1.5, "validation_fraction"),
        ("auto", "validation_fraction='auto' is not known; give a share"),
    ],
)
def test_what_can_not_be_held_out_is_refused(iris, fraction, message):
    X, y = iris
    labels = np.where(np.arange(150) < 50, y, -1)  # of the first class alone, but for two
    labels[[0, 1]] = 1, 2
    classifier = quick(early_stopping=True, validation_fraction=fraction, unlabeled=-1)
    with pytest.raises(ValueError, match=message):
        classifier.fit(X, labels)


def test_groups_that_can_not_be_held_out_are_refused(iris):
    X, y = iris
    for groups, message in (
        (np.zeros(150), "a single one that differs"),
        (np.zeros(10), "inconsistent numbers of samples"),
        (np.where(np.arange(150) == 7, np.nan, 1.0), "missing value, for row 7"),
    ):
        with pytest.raises(ValueError, match=message):
            quick(early_stopping=True).fit(X, y, groups=groups)


def test_groups_are_routed_through_a_search_and_a_pipeline():
    groups = np.repeat(np.arange(12), 5)
    X, y = numbered(60, groups), np.tile([0, 1], 30)
    with config_context(enable_metadata_routing=True):
        classifier = quick(early_stopping=True, validation_fraction=0.3)
        classifier.set_fit_request(groups=True, sample_weight=False)
        search = GridSearchCV(
            make_pipeline(MinMaxScaler(), classifier),
            {"stackedautoencoderclassifier__max_iter": [1, 3]},
            cv=GroupKFold(3),
        ).fit(X, y, groups=groups)
    trained = search.best_estimator_[-1].mean_[3:]
    np.testing.assert_allclose(trained[trained > 0], 1 / np.count_nonzero(trained))
    assert 2 <= np.count_nonzero(trained == 0) <= 5


# Values within rounding of [0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["log_loss", "auto"])
def test_values_that_rounding_took_out_of_the_unit_interval_are_inside(dtype, loss):
    random = np.random.RandomState(0)
    X = (random.normal(size=(200, 6)) * 10.0 ** np.arange(6) + 1000).astype(dtype)
    X = MinMaxScaler().fit_transform(X)
    X[0] = np.nextafter(dtype(1), dtype(2))  # as MinMaxScaler leaves some columns
    X[1] = -np.finfo(dtype).eps
    assert X.dtype == dtype
    assert X.max() > 1
    assert X.min() < 0
    y = (X[:, 0] > 0.5).astype(int)
    classifier = quick(loss=loss).fit(X, y)
    assert isinstance(classifier.autoencoders_[0].decoder.activation, torch.nn.Sigmoid)
    assert np.isfinite(classifier.stages_[0].loss_curve).all()
    assert classifier.predict_proba(X).dtype == dtype
    # Half a unit outside is no rounding.
    far = np.where(np.arange(6) == 3, X * dtype(1.5), X)
    with pytest.raises(ValueError, match="loss='log_loss' expects them"):
        quick(loss="log_loss").fit(far, y)
    assert quick().fit(far, y).autoencoders_[0].decoder.activation is None


# Going on


def test_a_warm_start_goes_on_with_the_last_stage(digits):
    X, _, y, _ = digits
    classifier = quick(warm_start=True, max_iter=5).fit(X, y)
    first = classifier.score(X, y)
    before = classifier.autoencoders_
    classifier.fit(X, y)
    assert [stage.name for stage in classifier.stages_] == ["fine-tuning"]
    assert classifier.autoencoders_ is before
    assert classifier.score(X, y) > first
    with pytest.raises(ValueError, match="activation was 'relu' when the network was built"):
        classifier.set_params(activation="tanh").fit(X, y)
    classifier.set_params(activation="relu")
    with pytest.raises(ValueError, match=r"labels \[99\].*not among the classes"):
        classifier.fit(X, np.where(y == 0, 99, y))


@pytest.mark.parametrize(
    ("parameters", "score"),
    [({}, 0.85), ({"fine_tune": False, "pretrain_max_iter": 30}, 0.75), ({"joint": "ladder"}, 0.7)],
)
def test_partial_fit_learns_batch_by_batch(digits, parameters, score):
    X, X_test, y, y_test = digits
    classifier = quick((32, 16), **parameters)
    for _ in range(6):
        for rows in np.array_split(np.arange(len(X)), 2):
            classifier.partial_fit(X[rows], y[rows], classes=range(10))
    expected = 12 if classifier.fine_tune else 14  # 3 in the first call, then one each
    assert classifier.n_iter_ == len(classifier.loss_curve_) == expected
    assert classifier.stages_[-1].best_iter == expected
    assert classifier.score(X_test, y_test) > score


def test_partial_fit_pretrains_on_rows_without_labels_first(digits):
    X, X_test, y, y_test = digits
    classifier = quick((32, 16), pretrain_max_iter=20, unlabeled=-1)
    classifier.partial_fit(X, np.full(len(X), -1), classes=range(10))
    assert [stage.name for stage in classifier.stages_] == ["layer 1", "layer 2"]
    np.testing.assert_allclose(classifier.predict_proba(X), 0.1, atol=1e-6)
    for _ in range(20):
        classifier.partial_fit(X, y)
    assert [stage.name for stage in classifier.stages_][-1] == "fine-tuning"
    assert classifier.score(X_test, y_test) > 0.85
    with pytest.raises(ValueError, match="y has no label that counts in 600 rows"):
        classifier.partial_fit(X, np.full(len(X), -1))


def test_partial_fit_after_a_fit_goes_on(digits):
    X, _, y, _ = digits
    classifier = quick().fit(X, y)
    before = classifier.loss_curve_
    classifier.partial_fit(X[:100], y[:100])
    assert classifier.loss_curve_[:-1] == before
    assert classifier.score(X, y) > 0.5


def test_the_marker_among_the_classes_is_no_class(iris):
    X, y = iris
    labels = some_unlabeled(y, 30)
    classifier = quick(unlabeled=-1).partial_fit(X, labels, classes=np.unique(labels))
    assert classifier.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_going_on_without_a_label_is_refused(iris, joint):
    X, y = iris
    classifier = quick(unlabeled=-1, warm_start=True, joint=joint).fit(X, y)
    with pytest.raises(ValueError, match="rows has a label that counts: unlabeled=-1"):
        classifier.fit(X, np.full(len(y), -1))


def test_class_weights_do_not_matter_where_there_are_no_labels(iris):
    X, y = iris
    classifier = quick(unlabeled=-1, class_weight={0: 0.0, 1: 2.0})
    classifier.partial_fit(X, np.full(len(y), -1), classes=[0, 1, 2])
    classifier.partial_fit(X, y)
    assert 0 not in classifier.predict(X)


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_labels_of_no_weight_are_not_held_out(iris, joint):
    X, y = iris
    classifier = quick(early_stopping=True, class_weight={0: 0.0}, joint=joint).fit(X, y)
    assert np.isfinite(classifier.validation_loss_curve_).all()


def test_divergence_is_noticed_where_accuracy_is_the_judge(iris):
    classifier = quick(
        early_stopping=True, solver="sgd", learning_rate_init=1e30, pretrain=False, max_iter=20
    )
    with pytest.warns(ConvergenceWarning, match="diverged with learning_rate_init"):
        classifier.fit(*iris)
    assert classifier.best_iter_ == 0
    assert np.isfinite(classifier.predict_proba(iris[0])).all()


def test_partial_fit_wants_the_classes_first(iris):
    X, y = iris
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        quick().partial_fit(X, y)
    classifier = quick().partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] are other than"):
        classifier.partial_fit(X, y, classes=[0, 1])


# The way back


@pytest.mark.slow
def test_codes_come_back_through_the_stack(digits):
    X, X_test, y, _ = digits
    classifier = quick((64, 32), pretrain_max_iter=60, fine_tune=False, pretrain_noise=None)
    classifier.fit(X, y)
    codes = classifier.transform(X_test)
    back = codes
    with torch.no_grad():
        for autoencoder in classifier.autoencoders_[::-1]:
            back = autoencoder.decoder(torch.as_tensor(back).float()).numpy()
    np.testing.assert_allclose(classifier.inverse_transform(codes), back, atol=1e-4)
    errors = np.square(back - X_test).sum() / np.square(X_test - X_test.mean(axis=0)).sum()
    assert errors < 0.35


def test_a_code_of_another_width_is_refused(iris):
    classifier = quick().fit(*iris)
    with pytest.raises(ValueError, match="X has 5 features, but StackedAutoencoder"):
        classifier.inverse_transform(np.zeros((2, 5)))


@pytest.mark.parametrize("parameters", [{"pretrain": False}, {"joint": "ladder"}])
def test_there_is_no_way_back_without_decoders(iris, parameters):
    classifier = quick(**parameters).fit(*iris)
    assert not hasattr(classifier, "inverse_transform")
    with pytest.raises(AttributeError, match="inverse_transform"):
        classifier.inverse_transform(classifier.transform(iris[0]))


# As an estimator among others


@pytest.mark.slow
def test_a_parallel_search_gives_the_serial_scores(iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), quick())
    name = "stackedautoencoderclassifier"
    grid = {
        f"{name}__hidden_layer_sizes": [(8,), (16, 8)],
        f"{name}__pretrain_noise": [MaskingNoise(0.2)],
    }
    scores = [
        GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(X, y).cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_it_names_columns_and_takes_those_of_a_frame(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    classifier = quick((8, 3)).set_output(transform="pandas").fit(frame, pd.Series(y))
    codes = classifier.transform(frame)
    assert list(codes.columns) == [f"stackedautoencoderclassifier{i}" for i in range(3)]
    assert list(classifier.feature_names_in_) == list("abcd")


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_sparse_rows_are_the_dense_ones(digits, joint):
    X, _, y, _ = digits
    dense = quick(joint=joint).fit(X, y)
    sparse = quick(joint=joint).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(
        dense.predict_proba(X), sparse.predict_proba(sp.csr_array(X)), atol=1e-4
    )


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_same_seed_same_result_and_no_global_state_is_moved(iris, joint):
    X, y = iris
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, second = (quick(joint=joint).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("joint", [None, "ladder"])
def test_it_survives_a_pickle(iris, joint):
    X, y = iris
    classifier = quick(joint=joint).fit(X, y)
    loaded = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(classifier.predict_proba(X), loaded.predict_proba(X))
    assert loaded.stages_ == classifier.stages_
    buffer = io.BytesIO()
    torch.save(classifier.module_.state_dict(), buffer)
    n_values = sum(value.numel() for value in classifier.module_.state_dict().values())
    assert len(pickle.dumps(classifier)) < 60_000 + 12 * n_values


def test_a_failed_fit_leaves_the_estimator_as_it_was(iris):
    X, y = iris
    classifier = quick()
    with pytest.raises(ValueError, match="a single class, 1"):
        classifier.fit(X, np.ones(len(y), dtype=int))
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    classifier.fit(X, y)
    before = vars(copy.copy(classifier)).copy()
    with pytest.raises(ValueError, match="diverge"):
        classifier.set_params(solver="sgd", learning_rate_init=1e30).fit(X, y)
    assert classifier.stages_ is before["stages_"]
    assert classifier.module_ is before["module_"]


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": ()}, "needs at least one layer"),
        ({"hidden_layer_sizes": (8, -1)}, "must be positive integers; got -1"),
        ({"joint": "ladder", "freeze_encoder": True}, "freeze_encoder=True can't be had"),
        ({"joint": "ladder", "fine_tune": False}, "fine_tune=False can't be had"),
        ({"joint": "stairs"}, "joint"),
        ({"joint": Ladder}, "Ladder is a class"),
        ({"joint": Ladder(weights=(1, 2, 3, 4, 5))}, "must be 1 to 4 numbers"),
        ({"joint": Ladder(weights=(-1,))}, "none of them negative"),
        ({"joint": Ladder(-1.0)}, "level.*Ladder"),
        ({"pretrain_max_iter": (3,)}, "one for each of the 2 hidden layers"),
        ({"pretrain_max_iter": (3, 0)}, "one for each of the 2 hidden layers"),
        ({"penalty": KLSparsity()}, "codes"),
        ({"loss": "log_loss"}, r"values from 0.1 to 7.9.*in \[0, 1\]"),
        ({"class_weight": {7: 1.0}}, r"names \[7\]"),
        ({"class_weight": {0: -1.0}}, "must not be negative"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_what_makes_no_sense_is_refused(iris, parameters, message):
    with pytest.raises(ValueError, match=message):
        StackedAutoencoderClassifier(**{"hidden_layer_sizes": (8, 4)} | parameters).fit(*iris)


@pytest.mark.parametrize(
    ("y", "unlabeled", "message"),
    [
        (None, None, "requires y to be passed"),
        ([0.0, 1.0, np.nan] * 50, None, "say so: unlabeled=np.nan"),
        ([-1] * 150, -1, "y has no label in 150 rows"),
        ([-1, 1, 1] * 50, -1, "a single class, 1"),
        (np.linspace(0, 1, 150), None, "Unknown label type"),
        ([0, 1], None, "inconsistent numbers of samples"),
    ],
)
def test_bad_labels_are_refused(iris, y, unlabeled, message):
    with pytest.raises(ValueError, match=message):
        quick(unlabeled=unlabeled).fit(iris[0], y)


OPTIONS = st.fixed_dictionaries(
    {
        "hidden_layer_sizes": st.sampled_from([4, (5, 3), (4, 4, 2)]),
        "activation": st.sampled_from(["relu", "tanh", "logistic", "silu"]),
        "normalization": st.sampled_from([None, "batch", "layer"]),
        "dropout": st.sampled_from([0.0, 0.2]),
        "noise": st.sampled_from([None, *NOISES, GaussianNoise(0.1)]),
        "pretrain_noise": st.sampled_from([None, *NOISES]),
        "label_smoothing": st.sampled_from([0.0, 0.1]),
        "tied_weights": st.booleans(),
        "penalty": st.sampled_from([None, "l1"]),
        "freeze_encoder": st.booleans(),
        "early_stopping": st.booleans(),
        "class_weight": st.sampled_from([None, "balanced"]),
        "batch_size": st.sampled_from(["auto", 1, 3]),
        "solver": st.sampled_from(["adam", "sgd"]),
    }
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    parameters=OPTIONS,
    n_rows=st.integers(9, 20),
    n_unlabeled=st.integers(0, 4),
    seed=st.integers(0, 100),
)
def test_combinations_fit_and_are_finite(parameters, n_rows, n_unlabeled, seed):
    random = np.random.RandomState(seed)
    X = random.normal(size=(n_rows, 3))
    y = np.arange(n_rows) % 2
    y[:n_unlabeled] = -1
    how = {"validation_fraction": 0.4} if parameters["early_stopping"] else {}
    classifier = quick(unlabeled=-1, **parameters, **how)
    classifier.fit(X, y)
    assert np.isfinite(classifier.predict_log_proba(X)).all()
    assert np.isfinite(classifier.inverse_transform(classifier.transform(X))).all()
    loaded = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert 0 <= classifier.score(X, y) <= 1
    assert log_loss(y[y >= 0], classifier.predict_proba(X)[y >= 0], labels=[0, 1]) < 100


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scaled_columns_have_the_log_loss(dtype):
    X, y = load_breast_cancer(return_X_y=True)
    X = MinMaxScaler().fit_transform(X.astype(dtype))
    X[0, 0] = np.nextafter(dtype(1), dtype(2))
    curves = {
        loss: quick(loss=loss).fit(X, y).stages_[0].loss_curve
        for loss in ("auto", "log_loss", "squared_error")
    }
    assert curves["auto"] == pytest.approx(curves["log_loss"], rel=0.05)
    assert curves["auto"] != pytest.approx(curves["squared_error"], rel=0.2)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_batches_of_one_row_are_welcome_after_the_first(digits, normalization):
    X, _, y, _ = digits
    model = quick(normalization=normalization).partial_fit(X[:100], y[:100], classes=range(10))
    for i in range(3):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    assert np.isfinite(model.predict_proba(X)).all()
