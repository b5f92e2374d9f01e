"""The README and the first page of the documentation do what they say."""

import contextlib
import io
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/getting_started.md",
    "docs/user_guide.md",
    "docs/variants.md",
    "docs/tables.md",
    "docs/report.md",
    "docs/few_labels.md",
    "docs/large_data.md",
    "docs/ecosystem.md",
    "docs/deployment.md",
    "docs/onnx.md",
    "docs/model_files.md",
]
# Others that people read on the way, without code.
LINKED = [
    *PAGES,
    "docs/index.md",
    "docs/how_much_data.md",
    "docs/reliability.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
OUTPUT_TOLERANCE = 0.05  # numbers differ a little from machine to machine

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)")


def source_of(link: str) -> str:
    """Return the file that a page of the gallery is made of, of other links the link itself."""
    if match := re.fullmatch(r"gallery/(\w+)\.rst", link):
        return "examples/GALLERY_HEADER.rst" if match[1] == "index" else f"examples/{match[1]}.py"
    return link


class Block(NamedTuple):
    language: str
    text: str
    line: int  # of the first line of text, from 1


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in FENCE.finditer(text)
    ]


def commands() -> list[str]:
    shell = [block for page in PAGES for block in blocks(page) if block.language == "bash"]
    lines = [line.split("#")[0].strip() for block in shell for line in block.text.splitlines()]
    return sorted({line for line in lines if line})


def alike(printed: str, expected: str) -> bool:
    """Return whether two texts have the same words, and numbers that are close."""
    pairs = list(zip(printed.split(), expected.split(), strict=False))
    return len(printed.split()) == len(expected.split()) and all(
        one == other or close(one, other) for one, other in pairs
    )


def close(one: str, other: str) -> bool:
    try:
        return abs(float(one) - float(other)) <= OUTPUT_TOLERANCE
    except ValueError:
        return False


@pytest.mark.parametrize("page", PAGES)
def test_the_code_on_a_page_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch):
    # It names the versions that it was tried with; older pipelines do not ask for weights.
    if page == "docs/ecosystem.md":
        pytest.importorskip("sklearn", minversion="1.7")
    monkeypatch.chdir(tmp_path)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    namespace: dict[str, object] = {}
    printed = ""
    for block in blocks(page):
        if "sklearn.callback" in block.text and not find_spec("sklearn.callback"):
            printed = ""  # scikit-learn < 1.9
        elif block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, page, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as stdout:
                exec(code, namespace)
            printed = stdout.getvalue()
        elif block.language == "text" and printed:
            assert alike(printed, block.text), f"{page}:{block.line} shows, but printed:\n{printed}"
    pyplot.close("all")


# The blocks marked `py` need packages that are not among the test extra's.
@pytest.mark.filterwarnings("default")
def test_code_for_other_packages_runs_where_they_are_installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    page = blocks("docs/ecosystem.md")
    for block in page:
        if block.language == "py":
            for package in re.findall(r"^import (\w+)", block.text, re.MULTILINE):
                pytest.importorskip(package)
    for block in page:
        if block.language in {"python", "py"}:
            exec(compile(block.text, f"docs/ecosystem.md:{block.line}", "exec"), namespace)


@pytest.mark.parametrize("command", commands())
def test_a_command_on_a_page_exists(command):
    program, *arguments = command.split()
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif program == "skae":
        call = [sys.executable, "-m", "skae", *arguments, "--help"]
        assert subprocess.run(call, capture_output=True, check=False).returncode == 0
    else:
        assert program in {"pip", "git", "cd"}


@pytest.mark.parametrize("page", LINKED)
def test_a_link_to_a_file_leads_to_one(page):
    links = LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    files = [(ROOT / page).parent / source_of(link) for link in local]
    assert [str(file) for file in files if not file.exists()] == []


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("PCA 0.59", "PCA  0.61\n", True),
        ("PCA 0.59", "PCA 0.69", False),
        ("PCA 0.59", "NMF 0.59", False),
        ("PCA 0.59", "PCA 0.59 0.60", False),
    ],
)
def test_output_is_compared_by_words_and_by_close_numbers(printed, expected, same):
    assert alike(printed, expected) is same
