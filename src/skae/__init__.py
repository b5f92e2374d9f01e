"""Autoencoders as real scikit-learn estimators."""

__version__ = "0.1.0"
