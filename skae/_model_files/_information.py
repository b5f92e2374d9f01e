"""What a file holds, as text, from its document alone: no network is built."""

import math
import os
from typing import Any

from .._value_files import read_document
from ..exceptions import ModelFileError
from ._estimators import ESTIMATORS, FORMAT

_WIDTH = 100  # of a line


def information(path) -> str:
    """Return what a file holds, in lines, after all of it is compared with its digest.

    Raises
    ------
    ModelFileError
        If it is no model file, damaged or of a newer format.
    OSError
        If it can't be read.
    """
    contents = read_document(path, FORMAT)
    document = contents.document
    try:
        of_a_fit = "checkpoint" in document
        what, *others = (_of_a_fit if of_a_fit else _of_a_model)(document)
        versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{os.fspath(path)}: its document does not describe an estimator: {error!r}"
        ) from error
    lines = [
        f"{os.fspath(path)}: {what}",
        f"format {document['format']}, saved with {versions}",
        *others,
    ]
    n_numbers = sum(math.prod(shape) for _, shape in contents.sizes.values())
    lines.append(
        f"{len(contents.sizes)} tensors of {n_numbers} numbers, {os.stat(path).st_size} bytes, "
        f"whole: the SHA-256 is that of the content"
    )
    # What a forger writes is shown, and moves no cursor.
    return "\n".join(
        "".join(letter if letter.isprintable() else "?" for letter in line) for line in lines
    )


def _of_a_model(document: dict[str, Any]) -> list[str]:
    """Return what a model is, and further lines."""
    estimator = document["estimator"]
    lines = [_what_it_is(estimator)]
    parameters = _that_are_set(estimator)
    if parameters:
        lines += ["parameters that are not at their defaults:", *parameters]
    if estimator["fitted"]:
        lines += ["fitted attributes:", "  " + ", ".join(estimator["fitted"])]
    if document["parts"]:
        lines.append(f"left out, for load(parts=...): {', '.join(document['parts'])}")
    return lines


def _of_a_fit(document: dict[str, Any]) -> list[str]:
    """Return what fit was interrupted, and how far it was."""
    told = document["checkpoint"]
    lines = [f"journal of a fit of {told['estimator']}, for its parameter checkpoint"]
    lines += [f"rows: {told['rows']}", f"trainings that have ended: {told['n_ended']}"]
    if told["last"] is not None:
        label, n_epochs, max_iter = told["last"]
        how = "ended after" if told["has_ended"] else "is after"
        lines.append(f"the last, {label}, {how} epoch {n_epochs} of {max_iter} at most")
    return lines


def _what_it_is(estimator: dict[str, Any]) -> str:
    fitted = estimator["fitted"]
    if "n_features_in_" not in fitted:
        return f"{estimator['class']}, not fitted"
    return f"{estimator['class']}, fitted to {fitted['n_features_in_']} columns"


def _that_are_set(estimator: dict[str, Any]) -> list[str]:
    """Return a line for each parameter that differs from its default, as the file has it."""
    defaults = ESTIMATORS[estimator["class"]]().get_params(deep=False)
    lines = []
    for name, node in estimator["parameters"].items():
        text = _text(node)
        if text != repr(defaults[name]):
            line = f"  {name}={text}"
            lines.append(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}...")
    return lines


def _text(node: Any) -> str:
    """Return a value as Python writes it, as far as the document tells it."""
    if type(node) is list:
        return f"[{', '.join(map(_text, node))}]"
    if type(node) is not dict:
        return repr(node)
    (kind, content), *_ = node.items()
    if kind == "tuple" and type(content) is list:
        return f"({', '.join(map(_text, content))}{',' if len(content) == 1 else ''})"
    if kind == "dict":
        return f"{{{', '.join(f'{_text(key)}: {_text(item)}' for key, item in content)}}}"
    if kind == "skae":
        name, parameters = content
        return f"{name}({', '.join(f'{key}={_text(item)}' for key, item in parameters.items())})"
    if kind == "estimator":
        return f"{content['class']}({', '.join(line.strip() for line in _that_are_set(content))})"
    if kind == "float":
        return f"float({content!r})"
    if kind == "scalar":
        return f"{content[0]}({_text(content[1])})"
    return f"<{kind}>"
