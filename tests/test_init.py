"""`import skae` is quick, and all that is public is there from then on."""

import pkgutil
import subprocess
import sys

import pytest

import skae

MODULES = [m.name for m in pkgutil.iter_modules(skae.__path__) if not m.name.startswith("_")]


def run(code: str) -> str:
    """Run code in an interpreter that has imported nothing yet, and return what it prints."""
    call = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_public_modules_are_attributes_of_the_package():
    names = [f"skae.{module}" for module in MODULES]
    assert run(f"import skae; print(*(module.__name__ for module in ({','.join(names)})))") == (
        " ".join(names) + "\n"
    )


def test_importing_the_package_imports_no_large_library():
    large = "{'matplotlib', 'sklearn', 'skorch', 'torch'}"
    assert run(f"import sys, skae; dir(skae); print({large} & {{*sys.modules}})") == "set()\n"


def test_what_is_public_is_listed_and_found():
    assert {*MODULES, *skae.__all__} <= {*dir(skae)}
    assert {*MODULES} <= {*skae.__all__}
    assert [name for name in skae.__all__ if not hasattr(skae, name)] == []


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skae' has no attribute 'nois'"):
        _ = skae.nois
