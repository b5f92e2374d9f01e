"""Files of every version of the format, kept as they were written, and what they gave then.

To add one for a new format: `python tests/model_files/test_a_file_of_every_version_loads.py`.
"""

from pathlib import Path

import numpy as np
import pytest

import skae
from skae._model_files._estimators import FORMAT
from skae._value_files import read_document

FOLDER = Path(__file__).parent / "versions"
FILES = sorted(FOLDER.glob("*.skae"))


def rows():
    """Return rows that no other package's data set can change."""
    angle = np.linspace(0, 3, 40)
    return np.column_stack([np.cos(angle), np.sin(angle), angle, angle**2 / 4])


def classes():
    return np.arange(40) // 14


BRIEF = {"hidden_layer_sizes": 3, "max_iter": 2, "random_state": 0}
IMAGES = {"image_shape": (2, 2), "channels": 2, "max_iter": 1, "random_state": 0}
MODELS = {
    "dense": skae.AutoencoderTransformer(1, noise="swap", tied_weights=True, **BRIEF),
    "convolutional": skae.ConvolutionalAutoencoderTransformer(1, **IMAGES),
    "variational": skae.VariationalAutoencoderTransformer(1, conditional=True, **BRIEF),
    "stacked": skae.StackedAutoencoderClassifier((3, 2), max_iter=2, random_state=0),
    "detector": skae.AutoencoderOutlierDetector(
        skae.AutoencoderTransformer(1, **BRIEF), n_folds=2, random_state=0
    ),
    "imputer": skae.AutoencoderImputer(
        skae.AutoencoderTransformer(1, missing="mask", noise="masking", **BRIEF)
    ),
    "several_imputer": skae.AutoencoderImputer(
        skae.AutoencoderTransformer(1, missing="flag", noise="masking", **BRIEF), n_estimators=2
    ),
    "table_imputer": skae.AutoencoderImputer(
        skae.TableAutoencoderTransformer(
            1, autoencoder=skae.AutoencoderTransformer(missing="flag", **BRIEF)
        )
    ),
}


def result(model):
    method = model.transform if hasattr(model, "transform") else model.score_samples
    X = rows()
    if isinstance(model, skae.AutoencoderImputer):
        X[::3, 1] = np.nan
    return method(X)


def test_there_is_a_file_of_each_model_in_each_version():
    expected = {f"{name}-{version}" for name in MODELS for version in range(1, FORMAT + 1)}
    assert {path.stem for path in FILES} == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_a_version_loads_and_gives_what_it_gave(path):
    assert read_document(path, FORMAT).document["format"] == int(path.stem.split("-")[1])
    with np.load(FOLDER / "results.npz") as results:
        np.testing.assert_allclose(
            result(skae.load(path)), results[path.stem], rtol=1e-5, atol=1e-5
        )


if __name__ == "__main__":
    results = {}
    for name, model in MODELS.items():
        skae.save(model.fit(rows(), classes()), FOLDER / f"{name}-{FORMAT}.skae")
    for path in sorted(FOLDER.glob("*.skae")):
        results[path.stem] = result(skae.load(path))
    np.savez(FOLDER / "results.npz", **results)
