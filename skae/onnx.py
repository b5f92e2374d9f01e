"""Fitted estimators as ONNX graphs, by themselves or as steps of a pipeline.

Needs the extra ``skae[onnx]``: torch's exporter turns networks into graphs, and skl2onnx makes
models of them, with the names and types that the models of scikit-learn's estimators have.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ._autoencoder import AutoencoderTransformer
from ._conditions import LabelCondition
from ._contract import BaseEstimator
from ._convolutional import ConvolutionalAutoencoderTransformer
from ._imputer import AutoencoderImputer
from ._outliers import AutoencoderOutlierDetector
from ._stacked import StackedAutoencoderClassifier
from ._standalone import parts_of
from ._table_encoder import TableEncoder
from ._tables import TableAutoencoderTransformer
from ._variational import VariationalAutoencoderTransformer
from .cluster import AutoencoderClustering
from .nn import Activation

__all__ = ["register", "to_onnx"]

LEAST_OPSET = 18  # that torch writes

ESTIMATORS = (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    StackedAutoencoderClassifier,
    VariationalAutoencoderTransformer,
)

# Of rows, by what skl2onnx calls their types.
_DTYPES = {
    "FloatTensorType": torch.float32,
    "DoubleTensorType": torch.float64,
    "Int64TensorType": torch.int64,
}


def to_onnx(estimator, part=None, *, dtype="float32", target_opset=None) -> Any:
    """Return a fitted estimator, or one of its methods, as an ONNX model.

    The model does all that the method does with rows: it standardizes them, and brings what the
    network gives back to their units, in double precision. The network itself is in single
    precision, as it was trained. Rows that the method would refuse, as those with missing values
    where it takes none, come out as NaN.

    Parameters
    ----------
    estimator : estimator
        One of skae's, or a pipeline that skl2onnx knows the other steps of.

    part : {"transform", "inverse_transform", "reconstruct", "impute", "predict_proba", \
            "decision_function"}, default=None
        The method that the model is of; "reconstruct" is `inverse_transform` after `transform`.
        None is what an estimator is mostly for: "predict_proba" of a classifier (its labels come
        with it), "decision_function" of a detector (likewise), and "transform" of the others. A
        pipeline has no other part.

    dtype : {"float32", "float64"}, default="float32"
        Of the rows in and out.

    target_opset : int, default=None
        Version of the ONNX operators, 18 or newer. None is the newest that skl2onnx is tested with.

    Returns
    -------
    onnx.ModelProto
        A model whose input is "X", of any number of rows. Its output is "variable"; of a classifier
        "label" and "probabilities", of a detector "label" and "scores". A conditional decoder has
        a second input, "y": labels, of shape (n_samples, 1), or numbers.

    Raises
    ------
    ImportError
        If a package of the extra is missing.
    ValueError
        If the estimator does not have the part, or has a part of your own making that can't be
        exported.

    See Also
    --------
    register : Let skl2onnx convert pipelines with skae's estimators, with all of its options.

    Notes
    -----
    An `AutoencoderOutlierDetector` judges rows that it was fitted to by networks that have not seen
    them. A model knows no rows: all are judged as new ones.

    Examples
    --------
    >>> import skae
    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = skae.AutoencoderTransformer(2, max_iter=3, random_state=0).fit(X)
    >>> model = skae.to_onnx(autoencoder)
    >>> [put.name for put in (*model.graph.input, *model.graph.output)]
    ['X', 'variable']
    """
    _import_extra()
    check_is_fitted(estimator)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype={dtype!r} must be 'float32' or 'float64'.")
    register()
    _refuse_what_stays(estimator)
    if isinstance(estimator, ESTIMATORS):
        parts = [*parts_of(estimator)]
        if part is not None and part not in parts:
            raise ValueError(
                f"part={part!r} is none that this {type(estimator).__name__} has; expected one of "
                f"{parts}."
            )
        if part in (None, parts[0]):
            _register(type(estimator))  # which may be derived from ours
        else:
            estimator = _Method(estimator, part)
    elif part is not None:
        raise ValueError(
            f"part={part!r} is for skae's own estimators, but a {type(estimator).__name__} is "
            "exported whole, for what its last step is mostly for. Leave part out, or give a step."
        )
    return _model(estimator, np.dtype(dtype), target_opset)


def register() -> None:
    """Let skl2onnx convert skae's estimators, alone and as steps of pipelines.

    ``skl2onnx.to_onnx(pipeline, X[:1])`` then works whole, with the options that skl2onnx has for
    classifiers: ``zipmap``, ``nocl`` and ``output_class_labels``. `to_onnx` calls this itself.

    Raises
    ------
    ImportError
        If a package of the extra is missing.

    See Also
    --------
    to_onnx : A model of a single method, or of a pipeline with the usual options.

    Examples
    --------
    >>> import skae
    >>> import skl2onnx
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = skae.AutoencoderTransformer(8, max_iter=3, random_state=0)
    >>> pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=1000)).fit(X, y)
    >>> skae.onnx.register()
    >>> model = skl2onnx.to_onnx(pipeline, X[:1])
    >>> [output.name for output in model.graph.output]
    ['output_label', 'output_probability']
    """
    _import_extra()
    for kind in (*ESTIMATORS, _Method):
        _register(kind)


def _register(kind: type) -> None:
    """Let skl2onnx convert estimators of a class."""
    from skl2onnx import update_registered_converter

    options = None
    if issubclass(kind, StackedAutoencoderClassifier):
        options = {
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
        }
    alias = f"Skae{kind.__name__}"
    update_registered_converter(kind, alias, _set_types, _convert, options=options)


class _Method(BaseEstimator):
    """A method of an estimator as skl2onnx sees it: what has columns in and columns out."""

    def __init__(self, estimator, part):
        self.estimator = estimator
        self.part = part


def _method_of(model) -> tuple[Any, str]:
    """Return the estimator that skl2onnx converts, and which of its methods."""
    if isinstance(model, _Method):
        return model.estimator, model.part
    check_is_fitted(model)
    return model, next(iter(parts_of(model)))


# What stays in Python, and why, with what there is a model of.
_IN_PYTHON = {
    TableAutoencoderTransformer: (
        "reads words and dates",
        "what comes after the matrix of its columns: to_onnx(estimator.autoencoder_)",
    ),
    TableEncoder: (
        "reads words and dates",
        "what comes after the matrix of its columns: to_onnx(pipeline[1:])",
    ),
    AutoencoderClustering: (
        "tells groups of codes apart",
        "what makes the codes, its autoencoder_: to_onnx(estimator.autoencoder_)",
    ),
}


def _refuse_what_stays(estimator) -> None:
    """Raise an error if an estimator, or a step of a pipeline, stays in Python."""
    for _, step in getattr(estimator, "steps", [("", estimator)]):
        for kind, (work, rest) in _IN_PYTHON.items():
            if isinstance(step, kind):
                raise ValueError(f"{kind.__name__} {work}, which stays in Python. Export {rest}.")


def _import_extra() -> None:
    """Import what the extra brings, or say what to install."""
    try:
        for name in ("onnx", "onnxscript", "skl2onnx"):  # torch needs the second
            import_module(name)
    except ImportError as error:
        raise ImportError(
            "ONNX models need onnx, onnxscript and skl2onnx; install them with: "
            "pip install 'skae[onnx]'"
        ) from error


def _model(model, dtype: np.dtype, target_opset):
    """Return what skl2onnx makes of an estimator, with arrays as outputs."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    numbers = FloatTensorType if dtype == np.float32 else DoubleTensorType
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    if not isinstance(model, _Method):
        types = [("X", numbers([None, getattr(model, "n_features_in_", None)]))]
        return to_onnx(model, initial_types=types, target_opset=target_opset, options=options)
    estimator, part = model.estimator, parts_of(model.estimator)[model.part]
    types = [("X", numbers([None, part.n_in]))]
    if part.takes_condition:
        types.append(("y", _type_of_condition(estimator._condition, numbers)))
    name = f"ONNX({type(estimator).__name__}.{model.part})"
    return to_onnx(model, name=name, initial_types=types, target_opset=target_opset)


def _type_of_condition(condition, numbers: type):
    """Return the type of what a decoder takes beside the code: labels, or a type of numbers."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    if not isinstance(condition, LabelCondition):
        return numbers([None, len(condition.mean)])
    is_text = isinstance(_labels(condition.classes)[0], str)
    return (StringTensorType if is_text else Int64TensorType)([None, 1])


def _labels(classes) -> list:
    """Return classes as ONNX can have them, or say that it can't."""
    labels = np.asarray(classes).tolist()
    if all(isinstance(label, str) for label in labels):
        return labels
    if all(isinstance(label, int | float) and label == int(label) for label in labels):
        return [int(label) for label in labels]
    raise ValueError(
        f"The classes are {labels[:5]}, but labels of ONNX are integers or text. Fit with such "
        "labels, such as classes.astype(str)."
    )


def _set_types(operator) -> None:
    """Tell skl2onnx the types of what comes out of an estimator."""
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )
    from skl2onnx.common.utils_classifier import get_label_classes

    estimator, name = _method_of(operator.raw_operator)
    part = parts_of(estimator)[name]
    _check_inputs(estimator, operator.inputs, 1 + part.takes_condition)
    X = operator.inputs[0]
    n_rows = X.get_first_dimension()
    *label, result = operator.outputs
    if name == "predict_proba":
        is_text = isinstance(_labels(get_label_classes(operator.scope_inst, estimator))[0], str)
        kind = StringTensorType if is_text else Int64TensorType
        label[0].set_type(kind([n_rows, part.n_out] if estimator.multilabel_ else [n_rows]))
    elif name == "decision_function":
        label[0].set_type(Int64TensorType([n_rows, 1]))
    numbers = DoubleTensorType if isinstance(X.type, DoubleTensorType) else FloatTensorType
    result.set_type(numbers([n_rows, part.n_out]))


def _check_inputs(estimator, inputs, n_inputs: int) -> None:
    """Refuse inputs that are not one dense matrix of numbers, and what a decoder takes beside."""
    if len(inputs) != n_inputs:
        raise ValueError(
            f"{type(estimator).__name__} takes {n_inputs} input, but there are {len(inputs)}: "
            f"{[variable.raw_name for variable in inputs]}. Give an array, not a table, as the "
            "example of the rows, or put a ColumnTransformer before it."
        )
    kind = type(inputs[0].type).__name__
    if kind not in _DTYPES:
        raise ValueError(
            f"{type(estimator).__name__} takes dense rows of numbers, one of {[*_DTYPES]}, but "
            f"the input {inputs[0].raw_name!r} is a {kind}."
        )


def _convert(scope, operator, container) -> None:
    """Put the graph of an estimator into the model that skl2onnx makes."""
    from onnx import TensorProto, helper
    from onnx.compose import add_prefix_graph
    from skl2onnx.common.utils_classifier import get_label_classes

    estimator, name = _method_of(operator.raw_operator)
    part = parts_of(estimator)[name]
    opset = container.target_opset_onnx
    if opset < LEAST_OPSET:
        raise ValueError(
            f"target_opset={opset} is too old for {type(estimator).__name__}: torch writes ONNX "
            f"operators of version {LEAST_OPSET} and newer. Set target_opset={LEAST_OPSET}."
        )
    dtype = _DTYPES[type(operator.inputs[0].type).__name__]
    examples = [torch.zeros(2, part.n_in, dtype=dtype)]
    given = [variable.full_name for variable in operator.inputs]
    if part.takes_condition:
        condition = estimator._condition
        if isinstance(condition, LabelCondition):
            examples.append(torch.zeros(2, 1, dtype=torch.int64))
            given[1] = _numbers_of_labels(scope, container, given[1], _labels(condition.classes))
        else:
            examples.append(torch.zeros(2, len(condition.mean), dtype=dtype))

    prefix = scope.get_unique_operator_name(type(estimator).__name__) + "_"
    graph = _graph(estimator, part.module(estimator), examples, opset)
    graph = add_prefix_graph(graph, prefix)
    for variable, put in zip(given, graph.input, strict=True):
        container.add_node("Identity", variable, put.name)
    container.initializers.extend(graph.initializer)
    for node in graph.node:
        container.check_white_black_list(node.op_type)
        container.nodes.append(node)
    container.node_domain_version_pair_sets.add(("", opset))

    taken = [put.name for put in graph.output]
    if name == "predict_proba" and not estimator.multilabel_:
        labels, classes = _labels(get_label_classes(scope, estimator)), f"{prefix}classes"
        kind = TensorProto.INT64
        if isinstance(labels[0], str):
            labels, kind = [label.encode() for label in labels], TensorProto.STRING
        container.initializers.append(helper.make_tensor(classes, kind, [len(labels)], labels))
        numbers, taken[0] = taken[0], f"{prefix}label"
        container.add_node("Gather", [classes, numbers], taken[0])
    for put, variable in zip(taken, operator.outputs, strict=True):
        container.add_node("Identity", put, variable.full_name)


def _numbers_of_labels(scope, container, variable: str, labels: list) -> str:
    """Add a node that gives labels their numbers, -1 if they are unknown; return its output."""
    numbers = scope.get_unique_variable_name("condition")
    keys = "keys_strings" if isinstance(labels[0], str) else "keys_int64s"
    container.add_node(
        "LabelEncoder",
        variable,
        numbers,
        op_domain="ai.onnx.ml",
        op_version=2,
        values_int64s=[*range(len(labels))],
        default_int64=-1,
        **{keys: labels},
    )
    return numbers


def _graph(estimator, module: nn.Module, examples: Sequence[Tensor], opset: int):
    """Return the graph of an estimator's method for any number of rows, as torch writes it."""
    free = {0: torch.export.Dim.DYNAMIC}
    try:
        with _without_advice(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(examples),
                dynamo=True,
                dynamic_shapes=tuple(free for _ in examples),
                opset_version=opset,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        yours = _parts_of_the_user(estimator, module)
        whose = f", which has parts that are not skae's ({', '.join(yours)})" if yours else ""
        raise ValueError(
            f"torch can't export the network of {type(estimator).__name__}{whose}: {error}"
        ) from error
    assert program is not None  # but for the exporter of before
    graph = program.model_proto.graph
    _adapt(graph, estimator)
    return graph


def _adapt(graph, estimator) -> None:
    """Make a graph one that skl2onnx can sort the nodes of, and that tells nothing of its origin.

    skl2onnx sorts by inputs that have names, and looks at the outermost nodes only.
    """
    from onnx import AttributeProto, TensorProto, helper

    nothing = "nothing"
    for node in graph.node:
        del node.metadata_props[:]  # lines of source code, with the folders of this machine
        if node.op_type == "Resize" and not node.input[1]:
            node.input[1] = nothing  # a region of interest, which only other modes look at
        nested = any(one.type == AttributeProto.GRAPH for one in node.attribute)
        if nested or "" in node.input:
            raise ValueError(
                f"The network of {type(estimator).__name__} has a {node.op_type}, which skl2onnx "
                "can't have in a model: it has a graph of its own, or leaves out an input. Take "
                "another layer, or export module_ with torch.onnx.export."
            )
    if any(nothing in node.input for node in graph.node):
        graph.initializer.append(helper.make_tensor(nothing, TensorProto.FLOAT, [0], []))


def _parts_of_the_user(estimator, module: nn.Module) -> list[str]:
    """Return what of a network is of the user's making: names of parameters and of classes."""
    given = [name for name in ("encoder", "decoder") if getattr(estimator, name, None) is not None]
    parts = [one.part if isinstance(one, Activation) else one for one in module.modules()]
    kinds = {type(part) for part in parts}
    strange = {kind for kind in kinds if kind.__module__.split(".")[0] not in {"skae", "torch"}}
    return [*given, *sorted(kind.__qualname__ for kind in strange)]


@contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out what torch's exporter says to who develops it: about itself and torchvision."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # TODO: remove when torch 2.14 is the minimum, if it does not warn of itself any more.
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            yield
    finally:
        log.setLevel(before)
