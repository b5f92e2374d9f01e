"""Autoencoders as real scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "AutoencoderImputer",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "Comparison",
    "ConvolutionalAutoencoderTransformer",
    "OutlierExplanation",
    "Report",
    "StackedAutoencoderClassifier",
    "TableAutoencoderTransformer",
    "TableEncoder",
    "VariationalAutoencoderTransformer",
    "activation",
    "cluster",
    "compare",
    "comparison",
    "data_parallel",
    "datasets",
    "exceptions",
    "inspection",
    "joint",
    "load",
    "metrics",
    "nn",
    "noise",
    "onnx",
    "penalty",
    "plotting",
    "report",
    "reporting",
    "save",
    "to_onnx",
]

__version__ = "0.1.0"

# Type checkers and editors read this; at run time, what is public is imported when first used, so
# that `skae --help` need not wait for torch.
if TYPE_CHECKING:
    from . import (
        activation,
        cluster,
        comparison,
        datasets,
        exceptions,
        inspection,
        joint,
        metrics,
        nn,
        noise,
        onnx,
        penalty,
        plotting,
        reporting,
    )
    from ._autoencoder import AutoencoderTransformer
    from ._convolutional import ConvolutionalAutoencoderTransformer
    from ._explanations import OutlierExplanation
    from ._imputer import AutoencoderImputer
    from ._model_files import load, save
    from ._outliers import AutoencoderOutlierDetector
    from ._processes import data_parallel
    from ._stacked import StackedAutoencoderClassifier
    from ._table_encoder import TableEncoder
    from ._tables import TableAutoencoderTransformer
    from ._variational import VariationalAutoencoderTransformer
    from .comparison import Comparison, compare
    from .onnx import to_onnx
    from .reporting import Report, report
else:
    # Where a name of __all__ is defined that is not itself a module.
    _HOMES = {
        "AutoencoderImputer": "._imputer",
        "AutoencoderOutlierDetector": "._outliers",
        "AutoencoderTransformer": "._autoencoder",
        "Comparison": ".comparison",
        "ConvolutionalAutoencoderTransformer": "._convolutional",
        "OutlierExplanation": "._explanations",
        "Report": ".reporting",
        "StackedAutoencoderClassifier": "._stacked",
        "TableAutoencoderTransformer": "._tables",
        "TableEncoder": "._table_encoder",
        "VariationalAutoencoderTransformer": "._variational",
        "compare": ".comparison",
        "data_parallel": "._processes",
        "report": ".reporting",
        "to_onnx": ".onnx",
        "load": "._model_files",
        "save": "._model_files",
    }

    def __getattr__(name):
        if name in _HOMES:
            return getattr(import_module(_HOMES[name], __name__), name)
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
