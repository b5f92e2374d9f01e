"""Fitted estimators as ONNX models: onnxruntime gives what Python gives."""

import functools
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import skae
from skae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)
from skae.activation import TopK
from skae.nn import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="comes with the onnx extra")
onnxruntime = pytest.importorskip("onnxruntime", reason="comes with the test extra")
skl2onnx = pytest.importorskip("skl2onnx", reason="comes with the onnx extra")

TOLERANCE = 1e-5  # of the largest number of an output

BRIEF = {"max_iter": 2, "early_stopping": False, "random_state": 0}
SMALL = {"hidden_layer_sizes": (8, 6), **BRIEF}
IMAGES = {"image_shape": (8, 8), "channels": (3, 4), **BRIEF}
LAST = {"height": 4, "width": 4, "channels": 4}
STACKED = {"hidden_layer_sizes": (8, 4), "pretrain_max_iter": 2, "max_iter": 2, "random_state": 0}


def layers(n_in, n_out):
    """Return layers of a user's, who need not know skae."""
    return torch.nn.Sequential(torch.nn.Linear(n_in, 5), torch.nn.Mish(), torch.nn.Linear(5, n_out))


class Halved:
    """An activation of the code of a user's."""

    def activate(self, code):
        return torch.where(code > 0, code, code / 2)


DENSE = {
    "default": AutoencoderTransformer(3, **BRIEF),
    "random start": AutoencoderTransformer(3, init="random", **SMALL),
    "linear": AutoencoderTransformer(3, init="pca", hidden_layer_sizes=(), **BRIEF),
    "tied": AutoencoderTransformer(3, tied_weights=True, init="pca", **SMALL),
    "tied, at random": AutoencoderTransformer(3, tied_weights=True, init="random", **SMALL),
    "batch normalization": AutoencoderTransformer(3, normalization="batch", dropout=0.1, **SMALL),
    "layer normalization": AutoencoderTransformer(3, normalization="layer", **SMALL),
    "pretrained": AutoencoderTransformer(3, pretrain=True, **SMALL),
    "top k": AutoencoderTransformer(6, latent_activation=TopK(2), **SMALL),
    "ordered": AutoencoderTransformer(3, ordered=True, **SMALL),
    "a share": AutoencoderTransformer(0.3, hidden_layer_sizes=(8,), max_iter=2, random_state=0),
    "log loss": AutoencoderTransformer(3, loss="log_loss", **SMALL),
    "losses by column": AutoencoderTransformer(
        3, loss={"log_loss": slice(0, 9), "huber": slice(9, None)}, **SMALL
    ),
    "missing values": AutoencoderTransformer(3, missing="mask", noise="masking", **SMALL),
    "layers of a user's": AutoencoderTransformer(3, encoder=layers, decoder=layers, **BRIEF),
    "activation of a user's": AutoencoderTransformer(3, latent_activation=Halved(), **SMALL),
}
NAMES = [*ACTIVATIONS]
ACTIVATED = {
    ", ".join(names): AutoencoderTransformer(
        3, activation=names[0], latent_activation=names[1], output_activation=names[2], **SMALL
    )
    for names in zip(NAMES[:3], NAMES[3:6], NAMES[6:], strict=True)
}
CONVOLUTIONAL = {
    "maximum": ConvolutionalAutoencoderTransformer(3, **IMAGES),
    "average": ConvolutionalAutoencoderTransformer(
        3, pooling="average", upsampling="nearest", normalization="batch", **IMAGES
    ),
    "stride": ConvolutionalAutoencoderTransformer(
        3, pooling="stride", kernel_size=(4, 3), normalization="layer", init="random", **IMAGES
    ),
    "feature map": ConvolutionalAutoencoderTransformer(None, upsampling="nearest", **IMAGES),
    "no pooling": ConvolutionalAutoencoderTransformer(None, pool_size=1, **IMAGES),
    "odd sides": ConvolutionalAutoencoderTransformer(
        2, **{**IMAGES, "image_shape": {"height": 4, "width": 16}, "pool_size": 3}
    ),
    "channels last": ConvolutionalAutoencoderTransformer(3, **{**IMAGES, "image_shape": LAST}),
    "channels last, feature map": ConvolutionalAutoencoderTransformer(
        None, loss="log_loss", **{**IMAGES, "image_shape": LAST}
    ),
    "series": ConvolutionalAutoencoderTransformer(3, **{**IMAGES, "image_shape": (64,)}),
}
VARIATIONAL = {
    "gaussian": VariationalAutoencoderTransformer(3, **SMALL),
    "bernoulli": VariationalAutoencoderTransformer(
        3, likelihood="bernoulli", normalization="batch", **SMALL
    ),
    "variational, missing values": VariationalAutoencoderTransformer(3, missing="mask", **SMALL),
}
AUTOENCODERS = {**DENSE, **ACTIVATED, **CONVOLUTIONAL, **VARIATIONAL}

CLASSIFIERS = {
    "stacked": StackedAutoencoderClassifier(**STACKED),
    "not pretrained": StackedAutoencoderClassifier(
        normalization="layer", pretrain=False, **{**STACKED, "pretrain_max_iter": "auto"}
    ),
    "ladder": StackedAutoencoderClassifier(
        joint="ladder", **{**STACKED, "pretrain_max_iter": "auto"}
    ),
    "classifier, missing values": StackedAutoencoderClassifier(missing="mask", **STACKED),
}


@pytest.fixture(scope="module", autouse=True)
def one_table_of_operators():
    """Let torch read what it knows of ONNX once, and not for each export, which takes a second."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        known = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", known)
        yield


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:150] / 16).astype(np.float32), y[:150]


def with_holes(X):
    return np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.2, np.nan, X).astype(X.dtype)


def session(model):
    """Return onnxruntime, with a model that is well formed."""
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString())


def relative_error(computed, expected):
    assert computed.shape == expected.shape
    assert computed.dtype == expected.dtype
    return np.abs(computed - expected).max() / np.abs(expected).max()


def assert_same(model, method, X):
    """Compare a model of one output with a method, for one row, for two, and for all."""
    runtime = session(model)
    for n_rows in (1, 2, len(X)):
        (computed,) = runtime.run(["variable"], {"X": X[:n_rows]})
        assert relative_error(computed, method(X[:n_rows])) < TOLERANCE


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_every_architecture_rebuilds_rows_as_python_does(name, digits):
    X, _ = digits
    X = with_holes(X) if "missing" in name else X
    autoencoder = AUTOENCODERS[name].fit(X)
    model = skae.to_onnx(autoencoder, "reconstruct")
    assert_same(model, lambda X: autoencoder.inverse_transform(autoencoder.transform(X)), X)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("default", "float32"),
        ("missing values", "float64"),
        ("maximum", "float32"),
        ("channels last, feature map", "float64"),
        ("gaussian", "float64"),
    ],
)
def test_codes_and_rows_are_those_of_python_in_either_precision(name, dtype, digits):
    X = (with_holes(digits[0]) if "missing" in name else digits[0]).astype(dtype)
    autoencoder = AUTOENCODERS[name].fit(X)
    assert_same(skae.to_onnx(autoencoder, dtype=dtype), autoencoder.transform, X)
    decoder = skae.to_onnx(autoencoder, "inverse_transform", dtype=dtype)
    assert_same(decoder, autoencoder.inverse_transform, autoencoder.transform(X))
    if "missing" in name:
        assert_same(skae.to_onnx(autoencoder, "impute", dtype=dtype), autoencoder.impute, X)


def test_columns_that_lie_far_from_zero_lose_no_digits(digits):
    X = digits[0].astype(np.float64) + 1e6
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(X)
    (codes,) = session(skae.to_onnx(autoencoder, dtype="float64")).run(None, {"X": X})
    assert relative_error(codes, autoencoder.transform(X)) < TOLERANCE
    rebuilt = session(skae.to_onnx(autoencoder, "reconstruct", dtype="float64")).run(None, {"X": X})
    expected = autoencoder.inverse_transform(codes)
    assert relative_error(rebuilt[0] - 1e6, expected - 1e6) < TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_labels_and_probabilities(name, digits):
    X, y = digits
    X = with_holes(X) if "missing" in name else X
    classifier = CLASSIFIERS[name].fit(X, y)
    runtime = session(skae.to_onnx(classifier))
    for n_rows in (1, 2, len(X)):
        label, probability = runtime.run(["label", "probabilities"], {"X": X[:n_rows]})
        assert label.dtype == np.int64
        assert label.tolist() == classifier.predict(X[:n_rows]).tolist()
        assert relative_error(probability, classifier.predict_proba(X[:n_rows])) < TOLERANCE


@pytest.mark.parametrize("name", ["classifier, missing values", "ladder"])
def test_a_classifier_has_codes_too(name, digits):
    X, y = digits
    X = with_holes(X) if "missing" in name else X
    classifier = CLASSIFIERS[name].fit(X, y)
    assert_same(skae.to_onnx(classifier, "transform"), classifier.transform, X)


@pytest.mark.parametrize(
    "classes",
    [np.array([f"Nr. {i} ä" for i in range(10)], dtype=object), np.arange(10) * 10**12 - 5],
    ids=["text", "large numbers"],
)
def test_labels_are_those_of_the_fit(classes, digits):
    X, y = digits
    classifier = StackedAutoencoderClassifier(**STACKED).fit(X, classes[y])
    label, _ = session(skae.to_onnx(classifier)).run(None, {"X": X})
    assert label.tolist() == classifier.predict(X).tolist()


def test_two_classes_that_are_true_and_false(digits):
    X, y = digits
    classifier = StackedAutoencoderClassifier(**STACKED).fit(X, y > 4)
    label, probability = session(skae.to_onnx(classifier)).run(None, {"X": X})
    assert label.astype(bool).tolist() == classifier.predict(X).tolist()
    assert relative_error(probability, classifier.predict_proba(X)) < TOLERANCE


def test_several_labels_of_a_row_are_indicators(digits):
    X, y = digits
    classifier = StackedAutoencoderClassifier(**STACKED).fit(X, np.column_stack([y % 2, y > 4]))
    label, probability = session(skae.to_onnx(classifier)).run(None, {"X": X})
    assert (label == classifier.predict(X)).all()
    assert relative_error(probability, classifier.predict_proba(X)) < TOLERANCE


def test_labels_that_onnx_does_not_have_are_refused(digits):
    X, y = digits
    classifier = StackedAutoencoderClassifier(**STACKED).fit(X, y)
    classifier.classes_ = classifier.classes_ + 0.5
    with pytest.raises(ValueError, match=r"classes are \[0\.5, 1\.5.*integers or text"):
        skae.to_onnx(classifier)


def test_whole_numbers_are_labels_whatever_their_type():
    assert skae.onnx._labels(np.array([1.0, 3.0])) == [1, 3]
    assert skae.onnx._labels(np.array([False, True])) == [0, 1]


@pytest.mark.parametrize("kind", ["numbers of classes", "text", "numbers"])
def test_a_conditional_decoder_takes_its_condition_beside_the_code(kind, digits):
    X, digit = digits
    y = {
        "numbers of classes": digit * 3,
        "text": np.array(list("abcdefghij"))[digit],
        "numbers": np.column_stack([digit, X[:, 20] * 100]),
    }[kind]
    autoencoder = VariationalAutoencoderTransformer(3, conditional=True, **SMALL).fit(X, y)
    runtime = session(skae.to_onnx(autoencoder, "inverse_transform"))
    codes, columns = autoencoder.transform(X), y.reshape(len(y), -1)
    given = columns.astype({"U": object, "i": np.int64, "f": np.float32}[columns.dtype.kind])
    (rows,) = runtime.run(None, {"X": codes, "y": given})
    assert relative_error(rows, autoencoder.inverse_transform(codes, y)) < TOLERANCE

    strange = {"U": "zz", "i": 99, "f": np.nan}[columns.dtype.kind]
    given[0] = strange
    (rows,) = runtime.run(None, {"X": codes, "y": given})
    assert np.isnan(rows[0]).all()
    assert np.isfinite(rows[1:]).all()


def test_rows_are_rebuilt_with_their_condition(digits):
    X, y = digits
    autoencoder = VariationalAutoencoderTransformer(
        3, conditional=True, missing="mask", **SMALL
    ).fit(X, y)
    X = with_holes(X)
    assert_same(skae.to_onnx(autoencoder), autoencoder.transform, X)
    (rows,) = session(skae.to_onnx(autoencoder, "impute")).run(None, {"X": X, "y": y[:, None]})
    assert relative_error(rows, autoencoder.impute(X, y)) < TOLERANCE


@pytest.mark.parametrize("criterion", ["mahalanobis", "scaled_error", "squared_error"])
def test_a_detector_judges_new_rows(criterion, digits):
    X = with_holes(digits[0])
    autoencoder = AutoencoderTransformer(3, missing="mask", **SMALL)
    detector = AutoencoderOutlierDetector(
        autoencoder, criterion=criterion, n_folds=2, random_state=0
    ).fit(X[:100])
    runtime = session(skae.to_onnx(detector))
    new = np.vstack([X[100:], digits[0][100:]])
    for n_rows in (1, 2, len(new)):
        label, scores = runtime.run(["label", "scores"], {"X": new[:n_rows]})
        decision = detector.decision_function(new[:n_rows])[:, None].astype(np.float32)
        assert (label[:, 0] == detector.predict(new[:n_rows])).all()
        assert relative_error(scores, decision) < TOLERANCE


def test_a_detector_of_autoencoders_that_take_no_holes(digits):
    X, _ = digits
    autoencoder = VariationalAutoencoderTransformer(2, **SMALL)
    detector = AutoencoderOutlierDetector(autoencoder, n_folds=2, random_state=0).fit(X[:100])
    label, scores = session(skae.to_onnx(detector, dtype="float64")).run(
        None, {"X": X.astype(np.float64)}
    )
    expected = detector.decision_function(X[100:].astype(np.float64))[:, None]
    assert relative_error(scores[100:], expected) < TOLERANCE
    assert {*label[:, 0].tolist()} <= {-1, 1}


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            AutoencoderOutlierDetector(
                VariationalAutoencoderTransformer(2, **SMALL), criterion="log_likelihood"
            ),
            "log_likelihood.*one of the other criteria",
        ),
        (
            AutoencoderImputer(make_pipeline(AutoencoderTransformer(2, missing="mask", **SMALL))),
            "AutoencoderImputer can be exported if its autoencoder is one of",
        ),
    ],
)
def test_what_stays_in_python_says_so(estimator, message, digits):
    if isinstance(estimator, AutoencoderImputer):
        estimator.autoencoder_ = estimator.autoencoder
        estimator.n_features_in_ = digits[0].shape[1]
    else:
        estimator.set_params(n_folds=2).fit(digits[0])
    with pytest.raises(ValueError, match=message):
        skae.to_onnx(estimator)


def test_an_imputer_fills_holes(digits):
    X = with_holes(digits[0])
    autoencoder = AutoencoderTransformer(3, missing="mask", noise="masking", **SMALL)
    imputer = AutoencoderImputer(autoencoder).fit(X)
    assert_same(skae.to_onnx(imputer), imputer.transform, X)


def test_rows_that_python_refuses_are_nan(digits):
    X, y = digits
    bad = X[:4].copy()
    bad[0, 3], bad[1, 5] = np.nan, np.inf
    autoencoder = AutoencoderTransformer(3, activation="relu", **SMALL).fit(X)
    (codes,) = session(skae.to_onnx(autoencoder)).run(None, {"X": bad})
    assert np.isnan(codes).all(axis=1).tolist() == [True, True, False, False]
    classifier = StackedAutoencoderClassifier(missing="mask", **STACKED).fit(X, y)
    _, probability = session(skae.to_onnx(classifier)).run(None, {"X": bad})
    assert np.isnan(probability).all(axis=1).tolist() == [False, True, False, False]


def test_a_pipeline_is_one_model(digits):
    X, y = digits
    text = np.array(list("abcdefghij"))[y]
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(2, **SMALL), LogisticRegression(max_iter=1000)
    ).fit(X, text)
    for dtype in ("float32", "float64"):
        label, probability = session(skae.to_onnx(pipeline, dtype=dtype)).run(
            ["label", "probabilities"], {"X": X.astype(dtype)}
        )
        assert label.tolist() == pipeline.predict(X).tolist()
        expected = pipeline.predict_proba(X.astype(np.float64)).astype(dtype)
        assert relative_error(probability, expected) < TOLERANCE


def test_skl2onnx_converts_once_it_is_told(digits):
    X, y = digits
    skae.onnx.register()
    pipeline = make_pipeline(MinMaxScaler(), StackedAutoencoderClassifier(**STACKED)).fit(X, y)
    runtime = session(skl2onnx.to_onnx(pipeline, X[:1]))
    assert [output.name for output in runtime.get_outputs()] == [
        "output_label",
        "output_probability",
    ]
    label, maps = runtime.run(None, {"X": X})
    assert label.tolist() == pipeline.predict(X).tolist()
    assert [*maps[0]] == [*range(10)]
    expected = pipeline.predict_proba(X)
    assert relative_error(np.array([[*row.values()] for row in maps], np.float32), expected) < (
        TOLERANCE
    )


def test_the_options_of_skl2onnx_for_classifiers_work(digits):
    X, y = digits
    skae.onnx.register()
    classifier = StackedAutoencoderClassifier(**STACKED).fit(X, np.array(list("abcdefghij"))[y])
    kind = StackedAutoencoderClassifier
    numbers = skl2onnx.to_onnx(classifier, X[:1], options={kind: {"nocl": True, "zipmap": False}})
    label, _ = session(numbers).run(None, {"X": X})
    assert classifier.classes_[label].tolist() == classifier.predict(X).tolist()
    columns = skl2onnx.to_onnx(classifier, X[:1], options={kind: {"zipmap": "columns"}})
    assert [output.name for output in columns.graph.output][:3] == ["output_label", "sa", "sb"]


def test_steps_beside_one_another_and_one_after_another(digits):
    X, _ = digits
    beside = ColumnTransformer(
        [
            ("upper", AutoencoderTransformer(2, **SMALL), slice(0, 32)),
            ("lower", AutoencoderTransformer(3, **SMALL), [*range(32, 64)]),
            ("pca", PCA(2), [1, 2, 3]),
        ]
    )
    after = AutoencoderTransformer(2, init="pca", hidden_layer_sizes=(), **BRIEF)
    pipeline = make_pipeline(beside, after).fit(X)
    assert_same(skae.to_onnx(pipeline), pipeline.transform, X)


def test_a_search_is_what_it_found(digits):
    X, y = digits
    pipeline = make_pipeline(AutoencoderTransformer(2, **SMALL), LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipeline, {"autoencodertransformer__n_components": [2, 3]}, cv=2)
    search.fit(X, y)
    label, _ = session(skae.to_onnx(search)).run(None, {"X": X})
    assert label.tolist() == search.predict(X).tolist()


def test_integers_are_rows_too(digits):
    X = (digits[0] * 16).astype(np.int64)
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(X)
    skae.onnx.register()
    (codes,) = session(skl2onnx.to_onnx(autoencoder, X[:1])).run(None, {"X": X})
    assert relative_error(codes, autoencoder.transform(X).astype(np.float32)) < TOLERANCE


def test_a_class_that_a_user_derives_is_exported_like_its_own(digits):
    class Mine(StackedAutoencoderClassifier):
        """With other defaults."""

    X, y = digits
    classifier = Mine(**STACKED).fit(X, y)
    label, _ = session(skae.to_onnx(classifier)).run(None, {"X": X})
    assert label.tolist() == classifier.predict(X).tolist()


@pytest.mark.parametrize("opset", [18, 20])
def test_the_operators_are_of_the_version_that_is_asked_for(opset, digits):
    X, _ = digits
    autoencoder = AutoencoderTransformer(3, activation="gelu", **SMALL).fit(X)
    model = skae.to_onnx(autoencoder, target_opset=opset)
    assert {entry.version for entry in model.opset_import if not entry.domain} == {opset}
    assert_same(model, autoencoder.transform, X)


def test_a_version_that_torch_does_not_write_is_refused(digits):
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(digits[0])
    with pytest.raises(ValueError, match=r"target_opset=17 is too old.*Set target_opset=18"):
        skae.to_onnx(autoencoder, target_opset=17)


def test_a_model_tells_nothing_of_the_machine_that_it_was_made_on(digits):
    model = skae.to_onnx(AutoencoderTransformer(3, **SMALL).fit(digits[0]))
    assert b".py" not in model.SerializeToString()


def test_the_callers_settings_are_left_as_they_are(digits, capfd):
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(digits[0])
    log = logging.getLogger("torch.onnx")
    before = log.level, [*warnings.filters], torch.get_rng_state(), torch.is_grad_enabled()
    skae.to_onnx(autoencoder)
    assert (log.level, warnings.filters, torch.is_grad_enabled()) == (*before[:2], before[3])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert capfd.readouterr() == ("", "")


class Stubborn(torch.nn.Module):
    """A layer that looks at its numbers, which no graph can do."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.layer = torch.nn.Linear(n_in, n_out)

    def forward(self, X):
        return self.layer(X) if X.sum().item() > 0 else -self.layer(X)


def test_a_part_that_cant_be_exported_is_named(digits):
    autoencoder = AutoencoderTransformer(3, encoder=Stubborn, **BRIEF).fit(digits[0])
    with pytest.raises(ValueError, match=r"not skae's \(encoder, Stubborn\)"):
        skae.to_onnx(autoencoder)


@pytest.mark.parametrize("inputs", [["X", "", "max"], ["X"]])
def test_what_skl2onnx_cant_have_is_refused(inputs):
    helper = onnx.helper
    graphs = {} if "" in inputs else {"then_branch": helper.make_graph([], "empty", [], [])}
    node = helper.make_node("If" if graphs else "Clip", inputs, ["Y"], **graphs)
    graph = helper.make_graph([node], "one node", [], [])
    with pytest.raises(ValueError, match=f"PCA has a {node.op_type}, which skl2onnx can't have"):
        skae.onnx._adapt(graph, PCA())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"part": "encode"}, r"part='encode'.*\['transform', 'inverse_transform', 'reconstruct'\]"),
        ({"part": "impute"}, "part='impute' is none that this AutoencoderTransformer has"),
        ({"dtype": "float16"}, "dtype='float16' must be 'float32' or 'float64'"),
    ],
)
def test_what_an_estimator_does_not_have_is_refused(how, message, digits):
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(digits[0])
    with pytest.raises(ValueError, match=message):
        skae.to_onnx(autoencoder, **how)


def test_a_ladder_has_no_way_back(digits):
    ladder = CLASSIFIERS["ladder"].fit(*digits)
    with pytest.raises(ValueError, match=r"expected one of \['predict_proba', 'transform'\]"):
        skae.to_onnx(ladder, "inverse_transform")


def test_a_part_of_a_pipeline_is_refused(digits):
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(3, **SMALL)).fit(digits[0])
    with pytest.raises(ValueError, match="Leave part out, or give a step"):
        skae.to_onnx(pipeline, "inverse_transform")


def test_what_is_not_fitted_is_refused():
    with pytest.raises(ValueError, match="not fitted"):
        skae.to_onnx(AutoencoderTransformer(3))


def test_rows_that_are_not_numbers_are_refused(digits):
    autoencoder = AutoencoderTransformer(3, **SMALL).fit(digits[0])
    skae.onnx.register()
    rows = [("X", skl2onnx.common.data_types.StringTensorType([None, 64]))]
    with pytest.raises(ValueError, match=r"dense rows of numbers.*'X' is a StringTensorType"):
        skl2onnx.to_onnx(autoencoder, initial_types=rows)


def test_columns_that_are_inputs_of_their_own_are_refused(digits):
    autoencoder = AutoencoderTransformer(1, **SMALL).fit(digits[0][:, 20:22])
    skae.onnx.register()
    column = skl2onnx.common.data_types.FloatTensorType([None, 1])
    with pytest.raises(ValueError, match=r"takes 1 input, but there are 2: \['a', 'b'\]"):
        skl2onnx.to_onnx(autoencoder, initial_types=[("a", column), ("b", column)])


def test_the_page_for_browsers_knows_the_files_and_the_names_of_the_models():
    folder = Path(__file__).parents[1] / "docs"
    page = (folder / "browser/index.html").read_text(encoding="utf-8")
    for name in ("encoder.onnx", "decoder.onnx", "digits.json"):
        assert f'"{name}"' in page
        assert f'"{name}"' in (folder / "onnx.md").read_text(encoding="utf-8")
    assert "model.run({ X })).variable" in page


WITHOUT = """
import sys
sys.modules["skl2onnx"] = None  # its import fails
import skae
for call in (skae.onnx.register, lambda: skae.to_onnx(None)):
    try:
        call()
    except ImportError as error:
        print(error)
"""


def test_a_missing_package_is_named_with_its_extra():
    call = [sys.executable, "-c", WITHOUT]
    printed = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    assert printed.count("pip install 'skae[onnx]'") == 2
