"""Of sparse rows only a few are dense at a time, however many there are."""

import subprocess
import sys

import pytest

# In a process of its own, whose peak is that of this work alone.
SCRIPT = """
import resource, sys
import numpy as np, scipy.sparse as sp
from skae import AutoencoderOutlierDetector, AutoencoderTransformer

def rows(n, n_features=20_000, n_values=80):
    random = np.random.RandomState(0)
    values = random.uniform(size=n * n_values)
    columns = random.randint(n_features, size=n * n_values)
    starts = np.arange(0, n * n_values + 1, n_values)
    return sp.csr_array((values, columns, starts), shape=(n, n_features))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB

settings = dict(hidden_layer_sizes=(8,), max_iter=1, validation_fraction=0.1, random_state=0)
estimator = AutoencoderTransformer(5, **settings)
if sys.argv[1] == "detector":
    estimator = AutoencoderOutlierDetector(estimator, n_folds=2)
estimator.fit(rows(200))
X = rows(1200)
before = peak()
kept = [getattr(estimator, name)(X) for name in sys.argv[2:]]
print(peak() - before)
"""
DENSE = 1200 * 20_000 * 8 / 2**20  # MB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there")
@pytest.mark.parametrize(
    "arguments",
    [
        ["transformer", "transform", "score_samples", "reconstruction_error", "score"],
        ["detector", "score_samples"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_sparse_rows_stay_sparse(arguments):
    call = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(call, capture_output=True, check=True, text=True)
    assert float(done.stdout) < DENSE / 10
