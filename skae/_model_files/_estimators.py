"""Estimators as values: their parameters and what a fit has set, each by its name."""

import os
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest
from torch import nn

from .._autoencoder import AutoencoderTransformer
from .._calibration import TypicalScores
from .._code_groups import Islands, Mixture
from .._conditions import CodesGivenCondition, LabelCondition, NumberCondition
from .._convolutional import ConvolutionalAutoencoderTransformer
from .._frames import Layout
from .._holding_out import FoldsOfRows
from .._imputer import AutoencoderImputer
from .._new_rows import NewRows
from .._outlier_stream import KeptRows
from .._outliers import AutoencoderOutlierDetector
from .._stacked import StackedAutoencoderClassifier
from .._table_columns import TableColumns
from .._table_encoder import TableEncoder
from .._tables import TableAutoencoderTransformer
from .._value_files import (
    FORMAT,
    Contents,
    ValueReader,
    ValueWriter,
    not_storable,
    package_versions,
    read,
    write,
)
from .._variational import VariationalAutoencoderTransformer
from .._views import Views
from ..cluster import AutoencoderClustering
from ..exceptions import ModelFileError
from ..nn import (
    AutoencoderNetwork,
    ChannelsLast,
    ClassifierNetwork,
    LadderNetwork,
    Logistic,
    MapShape,
    PadCodes,
    Softmax,
    VariationalNetwork,
)
from ._networks import SIDES, GivenLayers, NetworkWriter, differences, read_layers
from ._records import fields_of, part, part_name, record, record_name

_NONE = type(None)
_ROUTING = "_metadata_request"  # what `set_fit_request` and its like have set
_CURVE = {
    "loss_curve_": list,
    "validation_loss_curve_": (list, _NONE),
    "n_iter_": int,
    "best_iter_": int,
}
_ROWS = {
    "n_features_in_": int,
    "feature_names_in_": np.ndarray,
    "_sklearn_output_config": dict,
    _ROUTING: (MetadataRequest, dict),
}
_STANDARDIZED = {"mean_": np.ndarray, "scale_": float}
# What training goes on with.
_TRAINED = {"_structure": dict, "_solver_state": (tuple, _NONE), "_n_features_out": int}
_DENSE = {
    **_ROWS,
    **_STANDARDIZED,
    **_CURVE,
    **_TRAINED,
    "module_": AutoencoderNetwork,
    "n_components_": int,
    "init_": str,
    "noise_": object,
    "hidden_layer_sizes_": object,
    "candidates_": (dict, _NONE),
    "components_curve_": dict,
    "explained_variance_ratio_": np.ndarray,
    "pretraining_loss_curves_": list,
}

# The attributes that a fit may set, and their types. Numbers are finite.
FITTED: dict[type[BaseEstimator], dict[str, Any]] = {
    AutoencoderTransformer: _DENSE,
    ConvolutionalAutoencoderTransformer: {
        **_DENSE,
        "image_shape_": (MapShape, ChannelsLast),
        "code_shape_": (MapShape, ChannelsLast),
    },
    VariationalAutoencoderTransformer: {
        **_ROWS,
        **_STANDARDIZED,
        **_CURVE,
        **_TRAINED,
        "module_": VariationalNetwork,
        "classes_": np.ndarray,
        "noise_variance_": float,
        "_condition": (LabelCondition, NumberCondition, _NONE),
        "_codes": (CodesGivenCondition, _NONE),
        "_seed": int,
    },
    StackedAutoencoderClassifier: {
        **_ROWS,
        **_STANDARDIZED,
        **_CURVE,
        **_TRAINED,
        "module_": (ClassifierNetwork, LadderNetwork),
        "autoencoders_": list,
        "classes_": np.ndarray,
        "multilabel_": bool,
        "stages_": list,
        "_outputs": (Softmax, Logistic),
    },
    AutoencoderOutlierDetector: {
        **_ROWS,
        "autoencoders_": list,
        "offset_": float,
        "error_scale_": np.ndarray,
        "_folds": FoldsOfRows,
        "_code_spaces": list,
        "_views": Views,
        "_typical": TypicalScores,
        "_kept": KeptRows,
        "_holes": object,
    },
    AutoencoderImputer: {**_ROWS, "autoencoders_": list, "encoder_": (TableEncoder, _NONE)},
    AutoencoderClustering: {
        **_ROWS,
        "autoencoder_": object,
        "labels_": np.ndarray,
        "cluster_centers_": np.ndarray,
        "n_clusters_": int,
        "_groups": (Mixture, Islands),
        "_n_features_out": int,
    },
    TableEncoder: {
        **_ROWS,
        "kinds_": dict,
        "column_weights_": np.ndarray,
        "source_columns_": np.ndarray,
        "_layout": Layout,
        "_columns": TableColumns,
    },
    TableAutoencoderTransformer: {
        **_ROWS,
        "encoder_": TableEncoder,
        "autoencoder_": (AutoencoderTransformer, VariationalAutoencoderTransformer),
        "condition_": (str, _NONE),
        "n_components_": int,
        "_n_features_out": int,
        "_new_rows": NewRows,
    },
}
ESTIMATORS: dict[str, type[BaseEstimator]] = {kind.__name__: kind for kind in FITTED}

# Of a fit and its machine, not of a model: a path that a fit writes to.
_NOT_KEPT = "checkpoint"

# Parameters that files lack which were written before there were any, and what they are there.
_ADDED: dict[str, dict[str, Any]] = {
    "AutoencoderImputer": {"n_estimators": 1},
    "AutoencoderOutlierDetector": {"half_life": None},
}


def _with_several_autoencoders(fitted: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an imputer; in older files it has one autoencoder."""
    if "autoencoder_" not in fitted:
        return fitted
    if "autoencoders_" in fitted:
        raise ValueError("an AutoencoderImputer has one autoencoder_ or several autoencoders_")
    one, encoder = fitted.pop("autoencoder_"), None
    if isinstance(one, TableAutoencoderTransformer):
        one, encoder = one.autoencoder_, one.encoder_
    return {**fitted, "autoencoders_": [one], "encoder_": encoder}


# What makes the attributes that older files have those that a fit sets now.
_AS_NOW: dict[str, Any] = {"AutoencoderImputer": _with_several_autoencoders}

# Of an estimator that another one is made of; in the fitted ones the same parameters are missing.
_INNER = "autoencoder__"


def save(estimator, path, *, parts=()) -> None:
    """Save an estimator as a file that runs nothing when it is read.

    The file has numbers, text and the names of skae's own classes, fitted or not: parameters,
    networks and what else a fit has set, all that `predict`, `transform`, `partial_fit` and a warm
    start need. It is a safetensors file, whose format `the page on model files
    <../model_files.html>`_ describes.

    Parameters
    ----------
    estimator : estimator of skae
        One of the public classes, not one derived from them.

    path : str or path-like
        Where to save it. What is there is replaced once the new file is whole; until then, and
        if that fails, it stays as it is.

    parts : sequence of str, default=()
        Parameters, by the names of `get_params`, that the file leaves out as they are not skae's:
        a loss, a module, a callback or a splitter. `load` is given them again. The weights of a
        module that was trained are in the file all the same.

    Raises
    ------
    TypeError
        If it is no estimator of skae.
    ValueError
        If a parameter or a fitted attribute is none of what a file can hold; the message has the
        name, and says what to do.
    OSError
        If the file can't be written. What was there before is there still.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import os, tempfile
    >>> import skae
    >>> from sklearn.datasets import load_iris
    >>> X, _ = load_iris(return_X_y=True)
    >>> fitted = skae.AutoencoderTransformer(2, max_iter=5, random_state=0).fit(X)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.skae")
    >>> skae.save(fitted, path)
    >>> bool((skae.load(path).transform(X) == fitted.transform(X)).all())
    True
    """
    if type(estimator) not in FITTED:
        raise TypeError(
            f"skae.save takes an estimator of skae, one of {', '.join(ESTIMATORS)}; got "
            f"{type(estimator).__module__}.{type(estimator).__qualname__}. Of a pipeline, save the "
            "step that is skae's, and keep the others with skops (docs: model files)."
        )
    parts = _names_of_parts(estimator, parts)
    writer = _ModelWriter(parts)
    node = writer.estimator(estimator, "")
    document = {
        "format": FORMAT,
        "versions": package_versions(),
        "parts": list(parts),
        "estimator": node,
        "layers": writer.networks.layers,
    }
    _check_networks(writer, document, estimator.get_params())
    write(path, document, writer.tensors)


def load(path, *, parts: Mapping[str, Any] | None = None) -> Any:
    """Load an estimator that `save` has saved.

    Nothing in the file is run, and no name in it is looked up but in a list of skae's own classes.
    What comes back gives the same numbers, bit for bit, with the same versions of the packages on
    the same machine.

    Parameters
    ----------
    path : str or path-like
        The file.

    parts : mapping of str to object, default=None
        What the file leaves out, by the names of the parameters: exactly those that `save` was
        given. In the place of trained layers, a module of the same structure (or a function that
        returns one), which is copied and takes the weights in the file.

    Returns
    -------
    estimator
        Fitted if it was fitted.

    Raises
    ------
    skae.exceptions.ModelFileError
        If it is no such file, damaged, or of a newer format, or if `parts` are others than it
        leaves out. It is a ValueError.
    OSError
        If there is no such file, or it can't be read.

    See Also
    --------
    save : The way there.
    """
    contents = read(path, FORMAT)
    try:
        return _estimator(contents, dict(parts or {}))
    except Exception as error:  # whatever the document says: a forger may write anything
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error


def _check_networks(writer: "_ModelWriter", document: dict[str, Any], given: dict) -> None:
    """Refuse networks of which not all can be told: those built again must be the same."""
    tensors = dict(writer.tensors)
    reader = _ModelReader(Contents(document, {}, tensors), given)
    for where, network, number in writer.roots:
        found = differences(network, reader.network(number))
        if found:
            raise ValueError(
                f"{where} has been changed in ways that a file can't hold: {'; '.join(found)}."
            )


def _names_of_parts(estimator: BaseEstimator, parts: Iterable[str]) -> tuple[str, ...]:
    """Refuse names that are no parameters."""
    parts = (parts,) if isinstance(parts, str) else tuple(parts)
    known = estimator.get_params()
    for name in parts:
        if name not in known:
            raise ValueError(
                f"parts={list(parts)} has {name!r}, which is no parameter of "
                f"{type(estimator).__name__}; expected some of {sorted(known)}."
            )
    return parts


class _ModelWriter(ValueWriter):
    """Turns estimators, networks and parts into nodes, too, and leaves out what it is told to."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.networks = NetworkWriter(self)
        self.roots: list[tuple[str, nn.Module, int]] = []  # the networks, and their numbers
        self._parts = parts
        self._left_out: list[tuple[Any, str]] = []  # and by which parameter's name
        self._prefix = ""  # of the parameters of the estimator that is written
        self._given: dict[str, GivenLayers] = {}  # by the side of the network

    def estimator(self, estimator: Any, where: str) -> dict[str, Any]:
        """Return the node of an estimator."""
        parameters = estimator.get_params(deep=False)
        fitted = {name: v for name, v in vars(estimator).items() if name not in parameters}
        return {
            "class": type(estimator).__name__,
            "parameters": {
                name: self._parameter(name, value, where)
                for name, value in parameters.items()
                if name != _NOT_KEPT
            },
            "fitted": {
                name: self._fitted(estimator, name, value, where) for name, value in fitted.items()
            },
        }

    def _parameter(self, name: str, value: Any, where: str) -> Any:
        full = f"{self._prefix}{name}"
        if full in self._parts:
            self._left_out.append((value, full))
            return {"part": full}
        try:
            return self.node(value, f"{where}{name}")
        except ValueError as error:
            raise ValueError(
                f"{error} A file holds no code: leave {name} out, skae.save(..., "
                f"parts=[{full!r}]), and give it again when you load, "
                f"skae.load(..., parts={{{full!r}: ...}})."
            ) from error

    def _fitted(self, estimator: Any, name: str, value: Any, where: str) -> Any:
        wanted = FITTED[type(estimator)].get(name)
        if wanted is None:
            raise ValueError(
                f"{where}{name} is not among the attributes of {type(estimator).__name__} that a "
                "file can hold. Take it off first, if it is yours."
            )
        if not _is_a(value, wanted):
            raise ValueError(f"{where}{name} is {value!r}, which is not what a fit sets.")
        if name == "autoencoders_" and isinstance(
            getattr(estimator, "autoencoder", None), TableAutoencoderTransformer
        ):
            return self._within(_INNER, lambda: self.node(value, f"{where}{name}"))
        self._given = {}
        if isinstance(value, AutoencoderNetwork):
            self._given = self._given_layers(estimator, value)
        if isinstance(value, MetadataRequest):
            value = value._serialize()
        return self.node(value, f"{where}{name}")

    def _given_layers(self, estimator: Any, network: Any) -> dict[str, GivenLayers]:
        """Return the sizes of layers that the user may have given, by the side of the network."""
        n_features = len(network.encoder.standardize.mean)
        cut = [layer.n_components for layer in network.modules() if isinstance(layer, PadCodes)]
        n_codes = cut[0] if cut else estimator._n_features_out
        sizes = {"encoder": (n_features, n_codes), "decoder": (n_codes, n_features)}
        return {
            side: GivenLayers(f"{self._prefix}{side}", *sizes[side])
            for side in SIDES.values()
            if f"{self._prefix}{side}" in self._parts
        }

    def other(self, value: Any, where: str) -> Any:
        for known, full in self._left_out:
            if known is value:
                return {"part": full}
        if type(value) in FITTED:
            return {"estimator": self._inner(value, where)}
        if isinstance(value, nn.Module):
            return {"network": self._network(value, where)}
        name = part_name(value)
        if name is not None:
            parameters = value.get_params(deep=False)
            return {"skae": [name, self._nodes(parameters, where)]}
        name = record_name(value)
        if name is not None:
            return {"record": [name, self._nodes(fields_of(value), where)]}
        full = f"{self._prefix}latent_activation"
        if where.endswith(".part") and full in self._parts:  # a copy of it, within the network
            return {"part": full}
        raise not_storable(value, where)

    def _nodes(self, values: dict[str, Any], where: str) -> dict[str, Any]:
        return {name: self.node(value, f"{where}.{name}") for name, value in values.items()}

    def _inner(self, estimator: Any, where: str) -> dict[str, Any]:
        """Return the node of an estimator that the one that is saved is made of."""
        return self._within(_INNER, lambda: self.estimator(estimator, f"{where}."))

    def _within(self, prefix: str, write: Callable[[], Any]) -> Any:
        """Return what is written while the names of parameters have one more prefix."""
        outer, given = self._prefix, self._given
        self._prefix = f"{outer}{prefix}"
        try:
            return write()
        finally:
            self._prefix, self._given = outer, given

    def _network(self, network: nn.Module, where: str) -> int:
        """Return the number of a network among the layers."""
        given = self._given
        number = self.networks.number(network, where, lambda side: given.get(side or ""))
        self.roots.append((where, network, number))
        return number


class _ModelReader(ValueReader):
    """Turns nodes into estimators, networks and parts, too."""

    def __init__(self, contents: Contents, parts: dict[str, Any]) -> None:
        super().__init__(contents.tensors)
        self._parts = parts
        self._layers: list[nn.Module] = []
        self._layers = read_layers(contents.document["layers"], self.value, parts)

    def other(self, tag: str, content: Any) -> Any:
        read = _READERS.get(tag)
        return super().other(tag, content) if read is None else read(self, content)

    def estimator(self, node: Any) -> BaseEstimator:
        """Return the estimator of a node, with all its attributes or not at all."""
        name = node["class"]
        if {*node} != {"class", "parameters", "fitted"} or name not in ESTIMATORS:
            raise ValueError(f"{name!r} is not among the estimators")
        kind: Any = ESTIMATORS[name]
        parameters = {key: self.value(value) for key, value in node["parameters"].items()}
        parameters = _ADDED.get(name, {}) | parameters
        if {*parameters} != {*kind._get_param_names()} - {_NOT_KEPT}:
            raise ValueError(f"a {name} has the parameters {sorted(parameters)}")
        fitted = {key: self.value(value) for key, value in node["fitted"].items()}
        fitted = _AS_NOW.get(name, dict)(fitted)
        for key, value in fitted.items():
            if key not in FITTED[kind] or not _is_a(value, FITTED[kind][key]):
                raise ValueError(f"{key}={value!r} is not what a fit of a {name} sets")
        estimator = kind(**parameters)
        if _ROUTING in fitted:
            fitted[_ROUTING] = _requests(estimator, fitted[_ROUTING])
        vars(estimator).update(fitted)
        return estimator

    def _part(self, content: Any) -> Any:
        return self._parts[content]

    def network(self, content: Any) -> nn.Module:
        """Return the network of a number."""
        if type(content) is not int or not 0 <= content < len(self._layers):
            raise ValueError(f"there is no network {content!r}")
        return self._layers[content]

    def _part_of_skae(self, content: Any) -> Any:
        name, parameters = content
        return part(name, {key: self.value(value) for key, value in parameters.items()})

    def _record(self, content: Any) -> Any:
        name, fields = content
        return record(name, {key: self.value(value) for key, value in fields.items()})


_READERS = {
    "estimator": _ModelReader.estimator,
    "part": _ModelReader._part,
    "network": _ModelReader.network,
    "skae": _ModelReader._part_of_skae,
    "record": _ModelReader._record,
}


def _requests(estimator: Any, wanted: dict[str, dict[str, Any]]) -> MetadataRequest:
    """Return what an estimator asks metadata routing for, by methods and what they take."""
    result = estimator._get_metadata_request()
    known = result._serialize()
    for method, requests in wanted.items():
        for name, alias in requests.items():
            if name not in known[method]:
                raise ValueError(f"{method} of a {type(estimator).__name__} takes no {name!r}")
            getattr(result, method).add_request(param=name, alias=alias)
    return result


def _is_a(value: Any, wanted: Any) -> bool:
    """Whether an attribute is of its type: numbers are finite, and truth values are none."""
    if wanted is float:
        return isinstance(value, float) and isfinite(value)
    if wanted is int and isinstance(value, bool):
        return False
    return isinstance(value, wanted)


def _estimator(contents: Contents, parts: dict[str, Any]) -> BaseEstimator:
    """Return the estimator that a document describes."""
    document = contents.document
    if _NOT_KEPT in document:
        raise ValueError(
            "it is the journal of a fit, not a model. Give its path as checkpoint to an estimator "
            "with the same parameters, and fit that to the same rows."
        )
    if {*document} != {"format", "versions", "parts", "estimator", "layers"}:
        raise ValueError(f"its document has other keys: {sorted(document)}")
    if {*parts} != {*document["parts"]}:
        raise ValueError(
            f"it leaves out {document['parts']}, but load was given parts for {sorted(parts)}. "
            "Give exactly those that it leaves out: parts={name: ..., ...}."
        )
    reader = _ModelReader(contents, parts)
    result = reader.estimator(document["estimator"])
    reader.finish()
    return result
