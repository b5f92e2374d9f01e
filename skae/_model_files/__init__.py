"""Estimators in files: what they are made of as values, and estimators built from values again."""

from ._estimators import load, save
from ._information import information

__all__ = ["information", "load", "save"]
