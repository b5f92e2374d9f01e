"""Public docstrings are complete: numpydoc's checks, as pyproject.toml chooses them."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import skae

numpydoc_validate = pytest.importorskip("numpydoc.validate", reason="comes with the lint extra")
hook = pytest.importorskip("numpydoc.hooks.validate_docstrings")

CONFIG = hook.parse_config(Path(__file__).parents[1])

# Reached through the estimators, `skae.compare` and `skae.report`.
INTERNAL = {"nn", "comparison", "reporting"}


def public_modules() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(skae.__path__)]
    return ["skae", *(f"skae.{n}" for n in names if not n.startswith("_") and n not in INTERNAL)]


def public_objects() -> Iterator[str]:
    """Yield the names in ``__all__``, and those that classes define in the package."""
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            if not thing.__module__.startswith("skae"):  # scikit-learn's loaders
                continue
            yield f"{module_name}.{name}"
            if inspect.isclass(thing):
                yield from (f"{module_name}.{name}.{own}" for own in own_members(thing))


def own_members(cls: type) -> list[str]:
    """Public methods and properties, but for those that scikit-learn or torch give."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("skae")]
    return sorted(
        {
            name
            for base in ours
            for name, value in vars(base).items()
            if not name.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, property | classmethod))
        }
    )


@pytest.mark.parametrize(
    "name", [name for name in public_objects() if not CONFIG["exclude"].search(name)]
)
def test_a_public_docstring_is_complete(name):
    report = numpydoc_validate.validate(name)
    place = f"{report['file']}:{report['file_line']}"
    errors = [f"{code} {text}" for code, text in report["errors"] if code in CONFIG["checks"]]
    assert errors == [], place
