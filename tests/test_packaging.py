"""The bounds in pyproject.toml are those that the constraint files test."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Lower bounds that no constraint file tests: older builds of torch are too large to test with.
UNTESTED = {"torch"}

EXTRAS = PROJECT["optional-dependencies"]
NEEDED = [Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS["plot"]]]
ALL = {Requirement(line) for lines in EXTRAS.values() for line in lines if "skae[" not in line}


def pins(file: str) -> dict[str, Version]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name: Version(version) for name, version in pairs}


@pytest.mark.parametrize("requirement", [r for r in NEEDED if r.name not in UNTESTED], ids=str)
def test_a_lower_bound_is_a_version_that_is_tested(requirement):
    (bound,) = requirement.specifier
    assert bound.operator == ">="
    assert Version(bound.version) == pins("constraints-oldest.txt")[requirement.name]


@pytest.mark.parametrize("requirement", sorted({*NEEDED, *ALL}, key=str), ids=str)
def test_the_pinned_version_is_one_that_is_allowed(requirement):
    assert pins("constraints.txt")[requirement.name] in requirement.specifier
