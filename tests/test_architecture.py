"""Who may import whom: the picture in docs/architecture.md, as a table.

Imports are read from the source, those within functions too: an arrow is an arrow, however late
it is drawn.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skae"

# From top to bottom. A part imports from the layers below its own, never from beside or above;
# within a part that is a package, modules import one another freely.
LAYERS = [
    {"__main__"},
    {"skae"},  # the package itself: the table of contents
    {"plotting", "reporting"},
    {"comparison"},
    {"onnx"},
    {"_model_files", "_standalone"},
    {"_imputer"},
    {"_convolutional", "_outliers", "_tables", "cluster"},
    {"_autoencoder", "_stacked", "_variational"},
    {"_new_rows", "_outlier_stream"},
    {
        "_assembly",
        "_candidates",
        "_classifier_rows",
        "_column_order",
        "_conditions",
        "_ordered_codes",
        "_outlier_scores",
        "_pretraining",
        "_probabilistic_pca",
        "_reconstruction",
    },
    {"_code_effects", "_fitting", "inspection"},
    {"_racing"},
    {"_holding_out", "_principal_axes", "_table_estimators", "_table_explanations", "_training"},
    {"_files", "_table_encoder"},
    {
        "_checked_rows",
        "_code_groups",
        "_views",
        "_frames",
        "_mixed_loss",
        "_partners",
        "_table_scores",
        "activation",
        "datasets",
        "joint",
        "metrics",
        "noise",
        "penalty",
    },
    {"nn"},
    {"_calibration", "_idle", "_journal", "_progress", "_table_columns"},
    {"_level_embedding", "_value_files"},
    {"_rows", "_unit_interval"},
    {
        "_contract",
        "_drawing",
        "_explanations",
        "_inverse",
        "_labels",
        "_layout",
        "_neighbors",
        "_processes",
        "_seeding",
        "_sources",
        "_table_values",
        "_threads",
        "_warnings",
        "exceptions",
    },
]
# Parts that import nothing of skae but themselves.
ALONE = {"nn"} | LAYERS[-1]
# Libraries that only these parts know.
ONLY_IN = {"skorch": {"_training"}, "safetensors": {"_value_files"}}
# Libraries that are extras, so they are imported where they are used, in a function.
NEVER_AT_TOP = {
    "dask",
    "h5py",
    "matplotlib",
    "onnx",
    "onnxscript",
    "pandas",
    "polars",
    "pyarrow",
    "pynndescent",
    "skl2onnx",
    "zarr",
}
# Names that say nothing about what a module is for.
EMPTY_NAMES = {"base", "common", "config", "helper", "helpers", "misc", "util", "utils"}

DEPTH = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module: str) -> str:
    """``"nn"`` for ``"skae.nn._mlp"``, ``"skae"`` for the package itself."""
    return [*module.split("."), "skae"][1]


def imported(node: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Full names of the modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = node.module or ""
        if node.level:
            n_up = node.level - is_package
            anchor = module.split(".")[: len(module.split(".")) - n_up]
            start = ".".join([*anchor, *start.split(".")]).rstrip(".")
        for alias in node.names:
            name = f"{start}.{alias.name}"
            # Of skae, `from . import nn` names a module and `from .nn import MLP` does not.
            yield name if is_module_of_skae(name) else start


def is_module_of_skae(name: str) -> bool:
    return name in FILES or (name.count(".") == 1 and name.removeprefix("skae.") in DEPTH)


def nodes_at_top(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: all but functions and ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from nodes_at_top(child)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """What the imports of a module do against the rules, a sentence each."""
    tree = ast.parse(source)
    part = part_of(module)
    found = []
    if part not in DEPTH:
        return [f"{part} has no place in LAYERS"]
    for name in module.split("."):
        if name.strip("_") in EMPTY_NAMES:
            found.append(f"{module} is named after nothing")
    for node in ast.walk(tree):
        for target in imported(node, module, is_package):
            library = target.split(".")[0]
            if part not in ONLY_IN.get(library, {part}):
                found.append(f"{module}:{node.lineno} imports {library}")
            if library != "skae":
                continue
            other = part_of(target)
            if other == part and part != "skae":
                continue
            if other not in DEPTH or part in ALONE or DEPTH[other] <= DEPTH[part]:
                found.append(f"{module}:{node.lineno} imports {target}")
    for node in nodes_at_top(tree):
        for target in imported(node, module, is_package):
            if target.split(".")[0] in NEVER_AT_TOP:
                found.append(f"{module}:{node.lineno} imports {target} at the top")
    return found


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_from_below(module):
    path = FILES[module]
    source = path.read_text(encoding="utf-8")
    assert violations(source, module, is_package=path.stem == "__init__") == []


def test_one_part_knows_other_processes():
    knowing = set()
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                before = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                names = [before + alias.name for alias in node.names]
                if any(name.startswith("torch.distributed") for name in names):
                    knowing.add(part_of(module))
    assert knowing == {"_processes"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("skae._autoencoder", "import skorch"),
        ("skae._autoencoder", "from skorch.callbacks import EarlyStopping"),
        ("skae._autoencoder", "from ._stacked import StackedAutoencoderClassifier"),
        ("skae._autoencoder", "from ._variational import VariationalAutoencoder"),
        ("skae._autoencoder", "from . import comparison"),
        ("skae._autoencoder", "from skae import AutoencoderTransformer"),
        ("skae._autoencoder", "def fit():\n    from skae.comparison import compare"),
        ("skae._training", "import skae._autoencoder"),
        ("skae.comparison._measure", "from ..plotting import CodeDisplay"),
        ("skae.comparison._measure", "from .. import AutoencoderTransformer"),
        ("skae.nn._mlp", "from .._seeding import generator"),
        ("skae.nn._mlp", "from .. import metrics"),
        ("skae._labels", "from ._rows import Batches"),
        ("skae.metrics", "from ._unheard_of import anything"),
        ("skae.plotting._loss", "import matplotlib.pyplot as plt"),
        ("skae.plotting._loss", "class Display:\n    from matplotlib import pyplot"),
        ("skae.comparison._table", "try:\n    import pandas as pd\nexcept ImportError:\n    pass"),
        ("skae.nn._utils", ""),
        ("skae.helpers", ""),
    ],
)
def test_an_import_against_the_rule_is_found(module, source):
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "is_package", "source"),
    [
        ("skae", True, "from ._autoencoder import AutoencoderTransformer\nfrom . import nn"),
        ("skae.__main__", False, "from skae import compare\nfrom .datasets import load"),
        ("skae._stacked", False, "from ._pretraining import pretrain"),
        ("skae._autoencoder", False, "from . import nn\nfrom ._training import train"),
        ("skae._training", False, "import skorch\nfrom skae._seeding import generator"),
        ("skae.nn", True, "from ._mlp import MLP\nfrom skae.nn import _losses"),
        ("skae.nn._network", False, "import torch\nfrom ._mlp import MLP"),
        ("skae.plotting._loss", False, "def plot():\n    import matplotlib.pyplot as plt"),
        ("skae.plotting._loss", False, "if TYPE_CHECKING:\n    from matplotlib.axes import Axes"),
    ],
)
def test_an_import_within_the_rule_passes(module, is_package, source):
    assert violations(source, module, is_package) == []


@pytest.mark.parametrize(
    "path",
    sorted([*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "docs" / "examples").glob("*.py")]),
    ids=lambda path: path.stem,
)
def test_benchmarks_and_examples_use_the_public_names_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [name for node in ast.walk(tree) for name in imported(node, path.stem, False)]
    private = [name for name in names if name.startswith("skae.") and "._" in name]
    assert private == []
