"""Autoencoders as real scikit-learn estimators."""

from importlib import import_module

__all__ = [
    "AutoencoderImputer",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "Comparison",
    "ConvolutionalAutoencoderTransformer",
    "StackedAutoencoderClassifier",
    "VariationalAutoencoderTransformer",
    "compare",
]

__version__ = "0.1.0"

# Imported when first used, so that `skae --help` need not wait for torch.
_HOMES = {
    "AutoencoderImputer": "._imputer",
    "AutoencoderOutlierDetector": "._outliers",
    "AutoencoderTransformer": "._autoencoder",
    "Comparison": ".comparison",
    "ConvolutionalAutoencoderTransformer": "._convolutional",
    "StackedAutoencoderClassifier": "._stacked",
    "VariationalAutoencoderTransformer": "._variational",
    "compare": ".comparison",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
