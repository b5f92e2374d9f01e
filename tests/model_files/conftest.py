"""A small model and its file, files that somebody has written with care, and other processes."""

import copy
import json
import os
import subprocess
import sys

import pytest
from sklearn.datasets import load_iris

import skae
from skae._value_files import read, write


@pytest.fixture(scope="session")
def iris():
    return load_iris().data


@pytest.fixture(scope="session")
def model(iris):
    """A model of few bytes."""
    return skae.AutoencoderTransformer(
        1, hidden_layer_sizes=2, max_iter=2, early_stopping=False, noise="masking", random_state=0
    ).fit(iris)


@pytest.fixture(scope="session")
def other(iris):
    """A model that is told from `model` by its number of epochs."""
    return skae.AutoencoderTransformer(
        1, hidden_layer_sizes=2, max_iter=3, early_stopping=False, random_state=0
    ).fit(iris)


@pytest.fixture(scope="session")
def content(model, tmp_path_factory):
    """The bytes of the model's file."""
    path = tmp_path_factory.mktemp("content") / "model.skae"
    skae.save(model, path)
    return path.read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "model.skae"
    path.write_bytes(content)
    return path


@pytest.fixture
def forge(saved):
    """Return a function that writes what a file says anew, with a digest that is right.

    It takes a function that changes the document and the tensors in place.
    """
    document, _, tensors = read(saved, 1)

    def forged(change):
        changed, arrays = copy.deepcopy(document), dict(tensors)
        change(changed, arrays)
        write(saved, changed, arrays)
        return saved

    return forged


# A process that has imported skae, and nothing of the tests. It runs programs, each in a copy of
# itself: a new interpreter for each would spend its time importing torch.
PARENT = """
import json, os, sys, traceback
import skae
skae.load
for line in sys.stdin:
    program, arguments, printed = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(printed, os.O_WRONLY | os.O_CREAT), 1)
        sys.argv[1:] = arguments
        try:
            exec(program, {})
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print(flush=True)
"""


@pytest.fixture(scope="session")
def parent():
    if not hasattr(os, "fork"):
        yield None
        return
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PARENT], **pipes) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def run_elsewhere(parent, tmp_path_factory):
    """Return a function that runs a program in another process and returns what it prints."""

    def run(program, *arguments):
        arguments = [str(argument) for argument in arguments]
        if parent is None:
            call = [sys.executable, "-c", program, *arguments]
            return subprocess.run(call, check=True, capture_output=True, text=True).stdout
        printed = tmp_path_factory.mktemp("elsewhere") / "printed"
        print(json.dumps([program, arguments, str(printed)]), file=parent.stdin, flush=True)
        parent.stdout.readline()
        return printed.read_text()

    return run
