"""Type checkers know what users work with; an oracle of it is mypy, on a program of a user's."""

import re
from pathlib import Path

import pytest

import skae

api = pytest.importorskip("mypy.api", reason="comes with the lint extra")

ROOT = Path(skae.__file__).parents[1]

ARRAY = "numpy.ndarray[...]"
# Expressions and their types.
KNOWN = {
    "AutoencoderTransformer(2).fit(X)": "skae._autoencoder.AutoencoderTransformer",
    "AutoencoderTransformer(2).set_params(alpha=1)": "skae._autoencoder.AutoencoderTransformer",
    "AutoencoderTransformer(2).get_params()": "dict[...]",
    "AutoencoderImputer().set_callbacks()": "skae._imputer.AutoencoderImputer",
    "AutoencoderTransformer(2).fit_transform(X)": ARRAY,
    "AutoencoderTransformer(2).inverse_transform(X)": ARRAY,
    "AutoencoderTransformer(2).score(X)": "float",
    "ConvolutionalAutoencoderTransformer(2).fit(X).transform(X)": ARRAY,
    "VariationalAutoencoderTransformer(2).transform(X)": ARRAY,
    "VariationalAutoencoderTransformer(2).transform(X, return_std=True)": "tuple[...]",
    "StackedAutoencoderClassifier().fit(X, y)": "skae._stacked.StackedAutoencoderClassifier",
    "StackedAutoencoderClassifier().predict(X)": ARRAY,
    "StackedAutoencoderClassifier().inverse_transform(X)": ARRAY,
    "AutoencoderOutlierDetector().fit_predict(X)": ARRAY,
    "compare(X, y)": "skae.comparison._result.Comparison",
    "skae.noise.GaussianNoise(0.1)": "skae.noise.GaussianNoise",
    "skae.metrics.reconstruction_r2(X, X)": "float",
    "skae.plotting.ManifoldDisplay.from_estimator(1)": "skae.plotting._manifold.ManifoldDisplay",
}
PROGRAM = "import numpy as np\nimport skae\nfrom skae import *\nX, y = np.eye(9), np.arange(9)\n"


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> str:
    """What mypy says of the program, with the settings it has by itself."""
    lines = [f"reveal_type({expression})" for expression in KNOWN]
    wrong = ["from skae import AutoencoderTransfromer", "skae.nois"]
    program = tmp_path_factory.mktemp("user") / "program.py"
    program.write_text("\n".join([PROGRAM, *lines, *wrong]), encoding="utf-8")
    config = ["--config-file=", "--follow-imports=silent"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT))
        out, _, _ = api.run([*config, "--cache-dir", str(ROOT / ".mypy_cache/user"), str(program)])
    return out


def test_the_types_of_public_methods_are_known(said):
    revealed = [re.sub(r"\[.*\]", "[...]", t) for t in re.findall(r'type is "(.*)"', said)]
    assert dict(zip(KNOWN, revealed, strict=True)) == KNOWN


@pytest.mark.parametrize("name", ["AutoencoderTransfromer", "nois"])
def test_a_misspelt_name_is_found(said, name):
    assert re.search(rf'error: Module.* has no attribute "{name}"', said)
