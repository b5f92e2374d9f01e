"""The cells of a text file: numbers, flags, words, or nothing."""

import re

# Cells that stand for a value that is not there.
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "?"}
# Among words, these two are words.
MISSING_LABELS = MISSING - {"null", "none"}
TRUTH = {"true": 1.0, "false": 0.0}


def from_point(cell):
    """Return a number with a decimal point."""
    if "_" in cell:  # which float() takes
        raise ValueError(cell)
    return float(cell)


def from_comma(cell):
    """Return a number with a decimal comma."""
    if "_" in cell or "." in cell:
        raise ValueError(cell)
    return float(cell.replace(",", "."))


def from_truth(cell):
    """Return 1 for what is true and 0 for what is false."""
    return TRUTH[cell.strip().lower()]


NUMBERS = {"point": from_point, "comma": from_comma}

WITH_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*")
# Numbers whose thousands are set apart.
_WITH_PARTS = re.compile(r"[+-]?(\d{1,3}([.,' ]\d{3})+([.,]\d+)?|\d+(_\d+)+)")


def kind_of(cell, decimal):
    """Return what a cell is: "missing", "truth", "number" or "text"."""
    word = cell.strip().lower()
    if word in MISSING:
        return "missing"
    if word in TRUTH:
        return "truth"
    try:
        NUMBERS[decimal](cell)
    except ValueError:
        return "text"
    return "number"


def is_number_otherwise(word, decimal):
    """Whether a word is likely a number, written otherwise than the file's numbers are."""
    if kind_of(word, decimal) == "number":
        return False
    return any(kind_of(word, mark) == "number" for mark in NUMBERS) or bool(
        _WITH_PARTS.fullmatch(word)
    )
