"""Searches on the workers of a cluster, by joblib's own backend: the scores of a serial search."""

import os
import signal

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer

distributed = pytest.importorskip("distributed", reason="comes with the test extra")

X = np.sin(np.random.RandomState(0).normal(size=(80, 5)))


def search(scoring=None):
    autoencoder = AutoencoderTransformer(
        hidden_layer_sizes=4, init="random", noise=None, max_iter=2, random_state=0
    )
    return GridSearchCV(
        autoencoder, {"n_components": [1, 2]}, cv=2, scoring=scoring, error_score="raise"
    )


def scoring_that_kills_once(path):
    """Return a scorer that ends the process of the worker which is the first to call it."""

    def score(autoencoder, X):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return autoencoder.score(X)
        os.kill(os.getpid(), signal.SIGKILL)

    return score


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process")
def test_a_search_on_workers_of_which_one_is_killed_has_the_scores_of_a_serial_one(tmp_path):
    killed = tmp_path / "killed"
    serial = search().fit(X)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        distributed.Client(cluster),
        parallel_config("dask", scatter=[X]),  # to all workers, so that none takes it with it
    ):
        on_workers = search(scoring_that_kills_once(str(killed))).fit(X)
    assert killed.exists()
    for fold in (0, 1):
        name = f"split{fold}_test_score"
        np.testing.assert_array_equal(on_workers.cv_results_[name], serial.cv_results_[name])
    np.testing.assert_array_equal(on_workers.transform(X), serial.transform(X))
