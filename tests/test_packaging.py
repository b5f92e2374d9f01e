"""What is installed is what the tree holds, at versions that are tested."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import skae

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]

# Lower bounds that no constraint file tests: older builds of torch are too large to test with.
UNTESTED = {"torch"}

EXTRAS = PROJECT["optional-dependencies"]
RUNNING = [*PROJECT["dependencies"], *EXTRAS["onnx"], *EXTRAS["plot"], *EXTRAS["scale"]]
NEEDED = [Requirement(line) for line in RUNNING]
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


def test_the_wheel_has_every_file_of_the_package_and_no_other(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "skae").rglob("*") if path.is_file()]
    tree = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert packed == tree


def test_the_installed_version_is_that_of_the_tree():
    assert metadata.version("skae") == skae.__version__ == PROJECT["version"]


def test_the_version_to_cite_is_that_of_the_tree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [PROJECT["version"]]


def test_a_dependency_group_is_an_extra_or_made_of_groups():
    groups = PYPROJECT["dependency-groups"]
    lines = [line for group in groups.values() for line in group]
    extras = [Requirement(line).extras for line in lines if isinstance(line, str)]
    included = [line["include-group"] for line in lines if not isinstance(line, str)]
    assert set().union(*extras) <= set(EXTRAS)
    assert set(included) <= set(groups)


def test_the_oldest_python_is_one_that_is_tested():
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={pythons[0]}"
