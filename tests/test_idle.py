"""What contradicts is an error; what is idle is one warning, and the fit goes on without it."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae._idle import refuse_contradiction, warn_of_idle
from skae.exceptions import IdleParameterWarning

X, y = load_iris(return_X_y=True)


def dense(**parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False, "random_state": 0}
    return AutoencoderTransformer(**defaults | parameters)


def variational(**parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False, "random_state": 0}
    return VariationalAutoencoderTransformer(2, **defaults | parameters)


def convolutional(**parameters):
    defaults = {"image_shape": (2, 2), "channels": (4, 6), "max_iter": 2, "early_stopping": False}
    return ConvolutionalAutoencoderTransformer(**{"random_state": 0} | defaults | parameters)


def stacked(**parameters):
    defaults = {"batch_size": 150, "random_state": 0}
    return StackedAutoencoderClassifier((8, 4), **defaults | parameters)


# An estimator that a parameter does nothing for, the parameter, and what the warning says.
IDLE = [
    (dense(), {"validation_fraction": 0.2}, "early_stopping=False holds no rows out"),
    (dense(), {"n_iter_no_change": 3}, "early_stopping=False holds no rows out"),
    (dense(), {"validation_fraction": (X[:5], X[:5])}, "early_stopping=False"),
    (dense(), {"tol": 0.1}, "nothing waits for the loss to fall"),
    (dense(hidden_layer_sizes=()), {"activation": "identity"}, "there are no hidden layers"),
    (dense(hidden_layer_sizes=()), {"dropout": 0.1}, "there are no hidden layers"),
    (dense(hidden_layer_sizes=()), {"normalization": "layer"}, "there are no hidden layers"),
    (dense(hidden_layer_sizes=()), {"pretrain": True}, "there are no hidden layers"),
    (dense(hidden_layer_sizes=(), init="pca"), {"alpha": 0.1}, "no weights beside the linear path"),
    (dense(decoder=nn.Linear), {"decoder_layer_sizes": (3,)}, "decoder is given as a module"),
    (
        dense(encoder=nn.Linear, hidden_layer_sizes="auto", decoder_layer_sizes=(5,)),
        {"hidden_layer_sizes": (7,)},
        "the decoder has its own sizes",
    ),
    (
        dense(encoder=nn.Linear, decoder=nn.Linear, hidden_layer_sizes="auto"),
        {"dropout": 0.1, "activation": "relu", "hidden_layer_sizes": (3, 4)},
        "hidden_layer_sizes=\\(3, 4\\) and activation='relu' and dropout=0.1 have no effect",
    ),
    (variational(hidden_layer_sizes=()), {"activation": "relu"}, "there are no hidden layers"),
    (variational(hidden_layer_sizes=()), {"dropout": 0.1}, "there are no hidden layers"),
    (variational(), {"n_iter_no_change": 3, "tol": 0.1}, "early_stopping=False.*; tol=0.1 has"),
    (convolutional(pool_size=1), {"pooling": "average"}, "pool_size is 1 in all levels"),
    (convolutional(pool_size=1), {"upsampling": "nearest"}, "pool_size is 1 in all levels"),
    (
        convolutional(pool_size=1, n_components=None, channels=3),
        {"activation": "relu"},
        "there are no hidden layers",
    ),
    (stacked(max_iter=2), {"scoring": "loss"}, "early_stopping=False holds no rows out"),
    (stacked(max_iter=2), {"n_iter_no_change": 3}, "early_stopping=False holds no rows out"),
    (stacked(pretrain=False), {"pretrain_noise": None}, "pretrain=False trains no autoencoders"),
    (stacked(pretrain=False), {"softmax_max_iter": 3}, "no stage for the softmax layer alone"),
    (stacked(freeze_encoder=True), {"softmax_max_iter": 3}, "no stage for the softmax layer"),
    (
        stacked(fine_tune=False),
        {"freeze_encoder": True, "noise": "masking", "learning_rate_init": 0.1, "max_iter": 2},
        "stops after the softmax layer",
    ),
    (stacked(fine_tune=False, pretrain=False), {"dropout": 0.1}, "no stage trains the hidden"),
    (stacked(joint="ladder"), {"pretrain": False}, "pretrain=False has no effect.*joint"),
    (stacked(joint="ladder"), {"dropout": 0.1, "noise": "masking"}, "have no effect.*joint"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "idle", "message"),
    IDLE,
    ids=[f"{type(estimator).__name__}-{'-'.join(idle)}" for estimator, idle, _ in IDLE],
)
def test_what_is_idle_is_one_warning_and_changes_nothing(estimator, idle, message):
    expected = clone(estimator).fit(X, y)
    with pytest.warns(IdleParameterWarning, match=message) as caught:
        model = clone(estimator).set_params(**idle).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    method = "predict_proba" if hasattr(model, "predict_proba") else "transform"
    np.testing.assert_array_equal(getattr(model, method)(X), getattr(expected, method)(X))


def test_a_detector_warns_of_what_its_autoencoder_can_not_use():
    detector = AutoencoderOutlierDetector(dense(n_components=1, warm_start=True), random_state=0)
    with pytest.warns(IdleParameterWarning, match="warm_start=True has no effect"):
        scores = detector.fit(X).score_samples(X)
    detector.set_params(autoencoder__warm_start=False)
    np.testing.assert_array_equal(scores, detector.fit(X).score_samples(X))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (dense(), {"hidden_layer_sizes": [(), (8,)], "activation": ["silu", "tanh"]}),
        (
            AutoencoderTransformer(2, hidden_layer_sizes=8, max_iter=3, random_state=0),
            {"early_stopping": [True, False], "n_iter_no_change": ["auto", 5]},
        ),
        (stacked(max_iter=2), {"pretrain": [True, False], "tied_weights": [True, False]}),
    ],
)
def test_a_grid_has_no_missing_scores(estimator, grid):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdleParameterWarning)
        search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings("ignore::skae.exceptions.IdleParameterWarning")
@parametrize_with_checks(
    [
        AutoencoderTransformer(
            2, activation="identity", hidden_layer_sizes=(), early_stopping=False, max_iter=5
        ),
        AutoencoderTransformer(
            2, hidden_layer_sizes=8, early_stopping=False, n_iter_no_change=5, max_iter=5
        ),
    ]
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_parameter_at_its_default_is_neither_idle_nor_a_contradiction():
    for sizes in ((256, 128), [256, 128], np.array([256, 128])):
        model = VariationalAutoencoderTransformer(
            hidden_layer_sizes=sizes, dropout=0, tol=np.float64(1e-4)
        )
        for name in ("hidden_layer_sizes", "dropout", "tol", "random_state"):
            refuse_contradiction(model, name, "of a reason")
            warn_of_idle(model, [("of a reason", [name])])
    with pytest.raises(ValueError, match=r"dropout=0.5 can't be had, because of a reason\. Leave"):
        refuse_contradiction(AutoencoderTransformer(dropout=0.5), "dropout", "of a reason")


def test_a_parameter_is_told_once_however_many_reasons_there_are():
    reasons = [("of one", ["dropout"]), ("of another", ["dropout", "alpha"])]
    with pytest.warns(IdleParameterWarning) as caught:
        warn_of_idle(AutoencoderTransformer(dropout=0.5, alpha=0.1), reasons)
    expected = (
        "dropout=0.5 has no effect, because of one; alpha=0.1 has no effect, because of another."
    )
    assert [str(warning.message) for warning in caught] == [expected]
