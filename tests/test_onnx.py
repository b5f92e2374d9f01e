"""Fitted estimators as ONNX models: onnxruntime gives what Python gives."""

import functools
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
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
    TableAutoencoderTransformer,
    TableEncoder,
    VariationalAutoencoderTransformer,
)
from skae.activation import TopK
from skae.cluster import AutoencoderClustering
from skae.nn import ACTIVATIONS

onnx = pytest.importorskip("onnx", reason="comes with the onnx extra")
onnxruntime = pytest.importorskip("onnxruntime", reason="comes with the test extra")
skl2onnx = pytest.importorskip("skl2onnx", reason="comes with the onnx extra")

TOLERANCE = 1e-5  # of the largest number of an output

BRIEF = {"max_iter": 2, "early_stopping": False, "random_state": 0}
SMALL = {"hidden_layer_sizes": 6, **BRIEF}
LINEAR = {"hidden_layer_sizes": (), "init": "pca", **BRIEF}  # for tests that are not about layers
IMAGES = {"image_shape": (8, 8), "channels": (3, 4), **BRIEF}
LAST = {"height": 4, "width": 4, "channels": 4}
STACKED = {"hidden_layer_sizes": 4, "pretrain": False, **BRIEF}


def layers(n_in, n_out):
    """Return layers of a user's, who need not know skae."""
    return torch.nn.Sequential(torch.nn.Linear(n_in, 5), torch.nn.Mish(), torch.nn.Linear(5, n_out))


class Halved:
    """An activation of the code of a user's."""

    def activate(self, code):
        return torch.where(code > 0, code, code / 2)


def activations(*names):
    kinds = "activation", "latent_activation", "output_activation"
    return dict(zip(kinds, names, strict=True))


# Every kind of layer is in one of them; what differs in numbers alone is not told apart. All that
# stands around a network is tested without an export, in tests/test_standalone.py.
AUTOENCODERS = {
    "tied, batch normalization": AutoencoderTransformer(
        3,
        tied_weights=True,
        init="pca",
        normalization="batch",
        dropout=0.1,
        **activations("relu", "leaky_relu", "elu"),
        **SMALL,
    ),
    "tied, layer normalization": AutoencoderTransformer(
        3,
        tied_weights=True,
        init="random",
        normalization="layer",
        **activations("gelu", "tanh", "softplus"),
        **SMALL,
    ),
    "top k": AutoencoderTransformer(6, latent_activation=TopK(2), **SMALL),
    "a share": AutoencoderTransformer(0.3, hidden_layer_sizes=8, max_iter=2, random_state=0),
    "losses by column": AutoencoderTransformer(
        3, loss={"log_loss": slice(0, 9), "huber": slice(9, None)}, **SMALL
    ),
    "parts of a user's": AutoencoderTransformer(
        3, encoder=layers, decoder=layers, latent_activation=Halved(), **BRIEF
    ),
    "average, channels last": ConvolutionalAutoencoderTransformer(
        3,
        pooling="average",
        upsampling="nearest",
        normalization="batch",
        **activations("silu", "identity", "logistic"),
        **IMAGES | {"image_shape": LAST},
    ),
    "stride": ConvolutionalAutoencoderTransformer(
        3, pooling="stride", kernel_size=(4, 3), normalization="layer", init="random", **IMAGES
    ),
    "maximum, odd sides": ConvolutionalAutoencoderTransformer(
        2, pool_size=3, **IMAGES | {"image_shape": {"height": 4, "width": 16}}
    ),
    "a series without pooling": ConvolutionalAutoencoderTransformer(
        None, pool_size=1, **IMAGES | {"image_shape": (64,)}
    ),
    "gaussian": VariationalAutoencoderTransformer(3, **SMALL),
    "bernoulli": VariationalAutoencoderTransformer(
        3, likelihood="bernoulli", normalization="batch", **SMALL
    ),
}


@pytest.fixture(scope="module", autouse=True)
def one_table_of_operators():
    """Let torch read what it knows once, and not for each export, which takes a second."""
    from torch.export import decomp_utils, exported_program
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        known = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", known)
        composite = functools.cache(decomp_utils._collect_all_valid_cia_ops)
        for module in (decomp_utils, exported_program):
            patch.setattr(module, "_collect_all_valid_cia_ops", composite)
        yield


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:150] / 16).astype(np.float32), y[:150]


@pytest.fixture(scope="module")
def fitted(digits):
    """An autoencoder for those tests that any would do for."""
    return AutoencoderTransformer(3, **LINEAR).fit(digits[0])


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


@pytest.mark.slow
@pytest.mark.parametrize("name", AUTOENCODERS)
def test_every_architecture_rebuilds_rows_as_python_does(name, digits):
    X, _ = digits
    autoencoder = AUTOENCODERS[name].fit(X)
    model = skae.to_onnx(autoencoder, "reconstruct")
    assert_same(model, lambda X: autoencoder.inverse_transform(autoencoder.transform(X)), X)


def test_every_activation_is_in_one_of_the_architectures():
    given = [one.get_params() for one in AUTOENCODERS.values()]
    assert {str(how.get(kind)) for how in given for kind in activations(*"abc")} >= {*ACTIVATIONS}


@pytest.mark.slow
def test_codes_and_images_are_those_of_python_in_double_precision(digits):
    X = digits[0].astype(np.float64)
    autoencoder = ConvolutionalAutoencoderTransformer(
        None, loss="log_loss", **IMAGES | {"image_shape": LAST}
    ).fit(X)
    assert_same(skae.to_onnx(autoencoder, dtype="float64"), autoencoder.transform, X)
    decoder = skae.to_onnx(autoencoder, "inverse_transform", dtype="float64")
    assert_same(decoder, autoencoder.inverse_transform, autoencoder.transform(X))


def test_columns_that_lie_far_from_zero_lose_no_digits(digits):
    X = digits[0].astype(np.float64) + 1e6
    autoencoder = AutoencoderTransformer(3, **LINEAR).fit(X)
    rebuilt = session(skae.to_onnx(autoencoder, "reconstruct", dtype="float64")).run(None, {"X": X})
    expected = autoencoder.inverse_transform(autoencoder.transform(X))
    assert relative_error(rebuilt[0] - 1e6, expected - 1e6) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "classes"),
    [
        ({"joint": "ladder"}, np.array([f"Nr. {i} ä" for i in range(10)], dtype=object)),
        ({"pretrain_max_iter": 1, "normalization": "layer"}, np.arange(10) * 10**12 - 5),
    ],
    ids=["ladder, text", "layer normalization, large numbers"],
)
def test_a_classifier_gives_labels_and_probabilities(how, classes, digits):
    X, y = digits
    X = with_holes(X)
    classifier = StackedAutoencoderClassifier((8, 4), missing="mask", max_iter=2, random_state=0)
    classifier.set_params(**how).fit(X, classes[y])
    runtime = session(skae.to_onnx(classifier))
    for n_rows in (1, 2, len(X)):
        label, probability = runtime.run(["label", "probabilities"], {"X": X[:n_rows]})
        assert label.dtype == classes.dtype
        assert label.tolist() == classifier.predict(X[:n_rows]).tolist()
        assert relative_error(probability, classifier.predict_proba(X[:n_rows])) < TOLERANCE
    infinite = np.where(np.arange(64) == 5, np.inf, X[:2])
    assert np.isnan(runtime.run(["probabilities"], {"X": infinite})[0]).all()


def test_a_classifier_has_codes_too(digits):
    classifier = StackedAutoencoderClassifier(**STACKED).fit(*digits)
    assert_same(skae.to_onnx(classifier, "transform"), classifier.transform, digits[0])


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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "numbers"])
def test_a_conditional_decoder_takes_its_condition_beside_the_code(kind, digits):
    X, digit = digits
    y = {
        "text": np.array(list("abcdefghij"))[digit],
        "numbers": np.column_stack([digit, X[:, 20] * 100]),
    }[kind]
    autoencoder = VariationalAutoencoderTransformer(3, conditional=True, **LINEAR).fit(X, y)
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
        3, conditional=True, missing="mask", **LINEAR
    ).fit(X, y)
    X = with_holes(X)
    (rows,) = session(skae.to_onnx(autoencoder, "impute")).run(None, {"X": X, "y": y[:, None]})
    assert relative_error(rows, autoencoder.impute(X, y)) < TOLERANCE


@pytest.mark.slow
def test_a_detector_judges_new_rows(digits):
    X = with_holes(digits[0])
    autoencoder = AutoencoderTransformer(3, missing="mask", **LINEAR)
    detector = AutoencoderOutlierDetector(autoencoder, n_folds=2, random_state=0).fit(X[:100])
    runtime = session(skae.to_onnx(detector))
    new = np.vstack([X[100:], digits[0][100:]])
    for n_rows in (1, 2, len(new)):
        label, scores = runtime.run(["label", "scores"], {"X": new[:n_rows]})
        decision = detector.decision_function(new[:n_rows])[:, None].astype(np.float32)
        assert (label[:, 0] == detector.predict(new[:n_rows])).all()
        assert relative_error(scores, decision) < TOLERANCE


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
        estimator.autoencoders_, estimator.encoder_ = [estimator.autoencoder], None
        estimator.n_features_in_ = digits[0].shape[1]
    else:
        estimator.set_params(n_folds=2).fit(digits[0])
    with pytest.raises(ValueError, match=message):
        skae.to_onnx(estimator)


def test_an_imputer_of_a_table_stays_in_python(digits):
    table = skae.TableAutoencoderTransformer(
        1, autoencoder=AutoencoderTransformer(missing="flag", **SMALL)
    )
    imputer = AutoencoderImputer(table).fit(digits[0][:40, 18:22])
    with pytest.raises(ValueError, match="fitted to a table stays in Python"):
        skae.to_onnx(imputer)


@pytest.mark.parametrize("n_estimators", [1, 3])
@pytest.mark.parametrize("missing", ["mask", "flag"])
def test_an_imputer_fills_holes(digits, missing, n_estimators):
    X = with_holes(digits[0])
    autoencoder = AutoencoderTransformer(3, missing=missing, **LINEAR)
    imputer = AutoencoderImputer(autoencoder, n_estimators=n_estimators).fit(X)
    assert_same(skae.to_onnx(imputer), imputer.transform, X)


def test_rows_that_python_refuses_are_nan(digits):
    X, _ = digits
    bad = X[:4].copy()
    bad[0, 3], bad[1, 5] = np.nan, np.inf
    autoencoder = AutoencoderTransformer(3, activation="relu", **SMALL).fit(X)
    (codes,) = session(skae.to_onnx(autoencoder)).run(None, {"X": bad})
    assert np.isnan(codes).all(axis=1).tolist() == [True, True, False, False]


def test_a_pipeline_is_one_model_and_a_search_is_the_one_that_it_found(digits):
    X, y = digits
    X, text = X.astype(np.float64), np.array(list("abcdefghij"))[y]
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(2, **LINEAR), LogisticRegression(max_iter=1000)
    )
    search = GridSearchCV(pipeline, {"autoencodertransformer__n_components": [2, 3]}, cv=2)
    runtime = session(skae.to_onnx(search.fit(X, text), dtype="float64"))
    label, probability = runtime.run(["label", "probabilities"], {"X": X})
    assert label.tolist() == search.predict(X).tolist()
    assert relative_error(probability, search.predict_proba(X)) < TOLERANCE


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


@pytest.mark.slow
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
            ("upper", AutoencoderTransformer(2, **LINEAR), slice(0, 32)),
            ("lower", PCA(2), [*range(32, 64)]),
        ]
    )
    pipeline = make_pipeline(beside, AutoencoderTransformer(2, **LINEAR)).fit(X)
    assert_same(skae.to_onnx(pipeline), pipeline.transform, X)


def test_integers_are_rows_too(digits):
    X = (digits[0] * 16).astype(np.int64)
    autoencoder = AutoencoderTransformer(3, **LINEAR).fit(X)
    skae.onnx.register()
    (codes,) = session(skl2onnx.to_onnx(autoencoder, X[:1])).run(None, {"X": X})
    assert relative_error(codes, autoencoder.transform(X).astype(np.float32)) < TOLERANCE


def test_a_class_that_a_user_derives_is_exported_like_its_own(digits):
    class Mine(StackedAutoencoderClassifier):
        """With other defaults."""

    X, y = digits
    classifier = Mine(**STACKED).fit(X, y > 4)
    label, _ = session(skae.to_onnx(classifier)).run(None, {"X": X})
    assert label.astype(bool).tolist() == classifier.predict(X).tolist()


def test_the_operators_are_of_the_version_that_is_asked_for(digits):
    X, _ = digits
    autoencoder = AutoencoderTransformer(3, activation="gelu", **SMALL).fit(X)
    model = skae.to_onnx(autoencoder, target_opset=18)
    assert {entry.version for entry in model.opset_import if not entry.domain} == {18}
    assert_same(model, autoencoder.transform, X)


def test_a_version_that_torch_does_not_write_is_refused(fitted):
    with pytest.raises(ValueError, match=r"target_opset=17 is too old.*Set target_opset=18"):
        skae.to_onnx(fitted, target_opset=17)


def test_the_callers_settings_are_left_as_they_are_and_the_machine_is_not_told_of(fitted, capfd):
    log = logging.getLogger("torch.onnx")
    before = log.level, [*warnings.filters], torch.get_rng_state(), torch.is_grad_enabled()
    model = skae.to_onnx(fitted)
    assert (log.level, warnings.filters, torch.is_grad_enabled()) == (*before[:2], before[3])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert capfd.readouterr() == ("", "")
    assert b".py" not in model.SerializeToString()


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
def test_what_an_estimator_does_not_have_is_refused(how, message, fitted):
    with pytest.raises(ValueError, match=message):
        skae.to_onnx(fitted, **how)


def test_a_ladder_has_no_way_back(digits):
    ladder = StackedAutoencoderClassifier(4, joint="ladder", max_iter=1).fit(*digits)
    with pytest.raises(ValueError, match=r"expected one of \['predict_proba', 'transform'\]"):
        skae.to_onnx(ladder, "inverse_transform")


def test_a_part_of_a_pipeline_is_refused(fitted):
    with pytest.raises(ValueError, match="Leave part out, or give a step"):
        skae.to_onnx(make_pipeline(fitted), "inverse_transform")


def test_clusters_are_refused_with_a_way_out():
    clusters = AutoencoderClustering(2, autoencoder=PCA(2)).fit(np.repeat(np.eye(3), 5, axis=0))
    for estimator in (clusters, make_pipeline(clusters)):
        with pytest.raises(ValueError, match=r"groups of codes .*\(estimator.autoencoder_\)"):
            skae.to_onnx(estimator)
    assert skae.to_onnx(clusters.autoencoder_).graph.output


def test_a_table_is_refused_with_a_way_out():
    table = pd.DataFrame({"a": np.arange(40.0), "b": [*"xyxz"] * 10})
    network = AutoencoderTransformer(**LINEAR)
    model = TableAutoencoderTransformer(1, autoencoder=network).fit(table)
    for estimator in (model, make_pipeline(model)):
        with pytest.raises(ValueError, match=r"words and dates.*to_onnx\(estimator.autoencoder_\)"):
            skae.to_onnx(estimator)
    pipeline = make_pipeline(TableEncoder(), PCA(1)).fit(table)
    with pytest.raises(ValueError, match=r"words and dates.*to_onnx\(pipeline\[1:\]\)"):
        skae.to_onnx(pipeline)
    matrix = model.encoder_.transform(table)
    session = onnxruntime.InferenceSession(
        skae.to_onnx(model.autoencoder_, dtype=np.float64).SerializeToString()
    )
    (codes,) = session.run(None, {"X": matrix})
    np.testing.assert_allclose(codes, model.transform(table), atol=TOLERANCE)


def test_what_is_not_fitted_is_refused():
    with pytest.raises(ValueError, match="not fitted"):
        skae.to_onnx(AutoencoderTransformer(3))


def test_rows_that_are_not_numbers_are_refused(fitted):
    skae.onnx.register()
    rows = [("X", skl2onnx.common.data_types.StringTensorType([None, 64]))]
    with pytest.raises(ValueError, match=r"dense rows of numbers.*'X' is a StringTensorType"):
        skl2onnx.to_onnx(fitted, initial_types=rows)


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


@pytest.mark.parametrize("call", [skae.onnx.register, lambda: skae.to_onnx(None)])
def test_a_missing_package_is_named_with_its_extra(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)  # its import fails
    with pytest.raises(ImportError, match=r"pip install 'skae\[onnx\]'"):
        call()
