"""Loading runs nothing that a file says, whatever a forger writes into it."""

import os
import pickle

import joblib
import numpy as np
import pytest
import torch

import skae
from skae.exceptions import ModelFileError

# Names that would do harm if they were looked up, imported or called.
HARMFUL = [
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "skae.datasets.load_dataset",
    "skae._model_files._estimators.load",
    "torch.load",
    "pickle.loads",
    "sklearn.pipeline.Pipeline",
    "__reduce__",
    "__class__",
    "AutoencoderTransformer.__init__",
]

# Where a name may stand in a document, as functions that put one there.
PLACES = {
    "the class of the estimator": lambda d, name: d["estimator"].update({"class": name}),
    "a parameter's name": lambda d, name: d["estimator"]["parameters"].update({name: 1}),
    "a fitted attribute's name": lambda d, name: d["estimator"]["fitted"].update({name: 1}),
    "a method in the place of a method": lambda d, name: d["estimator"]["fitted"].update(
        {"transform": name}
    ),
    "a kind of value": lambda d, name: d["estimator"]["parameters"].update(
        {"loss": {name: ["id"]}}
    ),
    "a part": lambda d, name: d["estimator"]["parameters"].update({"noise": {"skae": [name, {}]}}),
    "a part's parameter": lambda d, name: d["estimator"]["parameters"].update(
        {"noise": {"skae": ["GaussianNoise", {"level": 1.0, name: 1}]}}
    ),
    "a record": lambda d, name: d["estimator"]["fitted"].update(
        {"candidates_": {"record": [name, {}]}}
    ),
    "a dtype": lambda d, name: d["estimator"]["fitted"].update(
        {"mean_": {"array": ["mean_", name, "C"]}}
    ),
    "a scalar's dtype": lambda d, name: d["estimator"]["fitted"].update(
        {"scale_": {"scalar": [name, 1.0]}}
    ),
    "a matrix": lambda d, name: d["estimator"]["parameters"].update(
        {"validation_fraction": {"sparse": [name, [1, 1], None, None, None]}}
    ),
    "a kind of layer": lambda d, name: d["layers"][0].update({"kind": name}),
    "a setting of a layer": lambda d, name: d["layers"][0]["settings"].update({name: 1}),
    "the value of a setting": lambda d, name: d["layers"][0]["settings"].update(
        {"n_features": name}
    ),
    "a tensor of a layer": lambda d, name: d["layers"][0]["tensors"].update({name: None}),
    "a layer below": lambda d, name: d["layers"][0]["layers"].update({name: 0}),
    "layers that are given": lambda d, name: d["layers"].insert(
        0, {"given": [name, 1, 1], "tensors": {}, "training": False}
    ),
    "a part that is given": lambda d, name: d["estimator"]["parameters"].update(
        {"loss": {"part": name}}
    ),
    "a method of metadata routing": lambda d, name: d["estimator"]["fitted"].update(
        {"_metadata_request": {"dict": [[name, {"dict": [["sample_weight", True]]}]]}}
    ),
    "a key of the document": lambda d, name: d.update({name: name}),
}


@pytest.mark.parametrize("name", HARMFUL)
@pytest.mark.parametrize("place", PLACES)
def test_a_name_in_a_file_is_refused_wherever_it_stands(place, name, forge):
    path = forge(lambda document, tensors: PLACES[place](document, name))
    with pytest.raises(ModelFileError, match=r"model\.skae: "):
        skae.load(path)


class Harm:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


WRITERS = {
    "pickle": lambda harm, path: path.write_bytes(pickle.dumps(harm)),
    "joblib": lambda harm, path: joblib.dump(harm, path),
    "joblib, compressed": lambda harm, path: joblib.dump(harm, path, compress=True),
    "torch": lambda harm, path: torch.save(harm, path),
    "numpy": lambda harm, path: np.save(path, np.array([harm], dtype=object)),
    "numpy, several": lambda harm, path: np.savez(path, np.array([harm], dtype=object)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_runs_code_elsewhere_runs_none_here(writer, tmp_path):
    trace = tmp_path / "trace"
    WRITERS[writer](Harm(trace), tmp_path / "model")
    (path,) = tmp_path.iterdir()  # numpy adds an ending
    with pytest.raises(ModelFileError, match="not a model file of skae"):
        skae.load(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["pickle in a text", "pickle in a tensor"])
def test_a_pickle_in_a_file_of_ours_stays_text_and_numbers(name, forge, tmp_path):
    data = pickle.dumps(Harm(tmp_path / "trace"))

    def hide(document, tensors):
        if name == "pickle in a text":
            document["estimator"]["parameters"]["activation"] = data.decode("latin-1")
        else:
            tensors["mean_"] = np.frombuffer(data + b"\0" * (-len(data) % 32), dtype=np.float64)

    again = skae.load(forge(hide))
    assert not (tmp_path / "trace").exists()
    assert again.activation == data.decode("latin-1") or again.mean_.size > 4


# Python tells of all that is compiled, run, imported and unpickled. The first load brings in what
# skae itself needs.
WATCHED = """
import sys
import skae
skae.load(sys.argv[1])
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
skae.load(sys.argv[1])
wrong = {"exec", "compile", "import", "pickle.find_class", "os.system", "subprocess.Popen",
         "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "ctypes.dlopen", "marshal.loads",
         "code.__new__", "function.__new__"}
print(sorted(wrong.intersection(events)), events.count("open"))
"""


def test_python_itself_tells_of_nothing_that_is_run(saved, run_elsewhere):
    assert run_elsewhere(WATCHED, saved) == "[] 1\n"


def test_no_global_generator_is_moved(saved):
    legacy = np.random.mtrand._rand  # the generator behind numpy's functions
    torch_state, numpy_state = torch.get_rng_state(), legacy.get_state()[1].copy()
    skae.save(skae.load(saved), saved)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(legacy.get_state()[1], numpy_state)
