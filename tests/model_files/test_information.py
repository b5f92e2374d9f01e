"""`skae info` tells what a file holds, and builds nothing."""

import numpy as np
import pytest
import torch

import skae
from skae.__main__ import main
from skae.exceptions import ModelFileError
from skae.noise import MaskingNoise


def told(capsys, path):
    status = main(["info", str(path)])
    out, err = capsys.readouterr()
    return status, out, err


def test_what_is_in_a_file_is_told(capsys, saved):
    status, out, err = told(capsys, saved)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{saved}: AutoencoderTransformer, fitted to 4 columns"
    assert lines[1].startswith(f"format 1, saved with skae 0.1.0, torch {torch.__version__[:4]}")
    assert f"numpy {np.__version__}" in lines[1]
    assert "  hidden_layer_sizes=2" in lines
    assert "  noise='masking'" in lines
    assert not any("solver" in line for line in lines)  # at its default
    assert "mean_, scale_, loss_curve_" in out
    assert lines[-1].endswith(
        f"{saved.stat().st_size} bytes, whole: the SHA-256 is that of the content"
    )


def test_what_is_not_fitted_and_parts_are_told(capsys, tmp_path):
    model = skae.AutoencoderOutlierDetector(
        skae.AutoencoderTransformer(
            hidden_layer_sizes=(3, 2), noise=MaskingNoise(0.2), loss=torch.nn.MSELoss()
        ),
        contamination=0.25,
    )
    skae.save(model, tmp_path / "model", parts=["autoencoder__loss"])
    _, out, _ = told(capsys, tmp_path / "model")
    assert "AutoencoderOutlierDetector, not fitted" in out
    assert "left out, for load(parts=...): autoencoder__loss" in out
    assert "contamination=0.25" in out
    assert "autoencoder=AutoencoderTransformer(hidden_layer_sizes=(3, 2), " in out
    assert "fitted attributes" not in out


def test_long_values_are_cut(capsys, tmp_path):
    skae.save(skae.AutoencoderTransformer(loss={"huber": [*range(15)] * 3}), tmp_path / "model")
    _, out, _ = told(capsys, tmp_path / "model")
    assert max(map(len, out.splitlines()[1:])) <= 100


def test_no_network_is_built(capsys, saved, monkeypatch):
    def refused(*arguments, **options):
        raise AssertionError("a layer was built")

    monkeypatch.setattr(torch.nn.Module, "__init__", refused)
    assert told(capsys, saved)[0] == 0


@pytest.mark.parametrize("place", [0, 100, -50, -1])
def test_a_damaged_file_is_told_of_in_a_line(place, capsys, saved):
    data = bytearray(saved.read_bytes())
    data[place] ^= 4
    saved.write_bytes(data)
    status, out, err = told(capsys, saved)
    assert (status, out) == (2, "")
    assert err.startswith(f"skae: error: {saved}: ")
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_there_is_told_of_in_a_line(capsys, tmp_path):
    status, _, err = told(capsys, tmp_path / "model.skae")
    assert status == 2
    assert "No such file" in err


def test_what_a_forger_writes_moves_no_cursor(capsys, forge):
    path = forge(lambda document, tensors: document["versions"].update({"a\x1b[2J\n": "\x07"}))
    _, out, _ = told(capsys, path)
    assert "a?[2J? ?" in out
    assert "\x1b" not in out


def test_a_document_that_describes_nothing_is_refused(forge):
    from skae._model_files import information

    path = forge(lambda document, tensors: document.update(estimator=[]))
    with pytest.raises(ModelFileError, match="does not describe an estimator"):
        information(path)


def test_values_are_told_as_python_writes_them(capsys, tmp_path):
    model = skae.StackedAutoencoderClassifier(
        (8,),
        class_weight={1: np.float64(2.0), "a": 1.0},
        noise=MaskingNoise(0.5),
        penalty=[None],
        unlabeled=float("nan"),
        random_state=np.random.RandomState(0),
    )
    skae.save(model, tmp_path / "model")
    _, out, _ = told(capsys, tmp_path / "model")
    for line in (
        "hidden_layer_sizes=(8,)",
        "class_weight={1: float64(2.0), 'a': 1.0}",
        "noise=MaskingNoise(groups=None, level=0.5)",
        "penalty=[None]",
        "unlabeled=float('nan')",
        "random_state=<random_state>",
    ):
        assert f"  {line}\n" in out
