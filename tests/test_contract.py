"""What is scikit-learn's in our estimators speaks of ours."""

import copy
import importlib
import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

import skae

ROOT = Path(__file__).parents[1]
REFERENCE = "https://skae.readthedocs.io/en/stable/generated/"

DOCUMENTED = re.findall(r"^   (skae\S*)$", (ROOT / "docs/api.rst").read_text(), re.MULTILINE)


def estimators() -> Iterator[tuple[str, type]]:
    """Yield estimators and parts, by the names of their pages in the reference."""
    for module_name in DOCUMENTED:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                yield f"{module_name}.{name}", thing


def links(estimator: BaseEstimator) -> list[str]:
    return re.findall(r'href="(https?://[^"#]+)', estimator_html_repr(estimator))


@pytest.mark.parametrize(("page", "estimator"), [*estimators()])
def test_the_html_of_an_estimator_leads_to_its_page_in_our_reference(page, estimator):
    assert {*links(estimator())} == {f"{REFERENCE}{page}.html"}


def test_in_a_pipeline_each_step_leads_to_the_reference_of_its_own_package():
    found = links(make_pipeline(PCA(), skae.AutoencoderTransformer()))
    assert any(link.endswith("sklearn.decomposition.PCA.html") for link in found)
    assert f"{REFERENCE}skae.AutoencoderTransformer.html" in found


def test_an_estimator_that_a_user_derives_leads_nowhere():
    class Mine(skae.AutoencoderTransformer):
        """Documented elsewhere."""

    Mine.__module__ = "mine"
    assert links(Mine()) == []


# Copies


SMALL = {"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0}
IRIS, SPECIES = load_iris(return_X_y=True)


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (skae.AutoencoderTransformer(2, **SMALL), {}),
        (skae.VariationalAutoencoderTransformer(2, **SMALL), {}),
        (skae.StackedAutoencoderClassifier(**SMALL), {"y": SPECIES, "classes": [0, 1, 2]}),
        (skae.AutoencoderOutlierDetector(half_life=300, random_state=0), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_copies_and_pickles_change_nothing_about_an_estimator_in_a_stream(estimator, labels):
    looked_at, left_alone = (clone(estimator).partial_fit(IRIS, **labels) for _ in range(2))
    before = dict(vars(looked_at))
    for look in (pickle.dumps, copy.copy, copy.deepcopy):
        look(looked_at)
        assert vars(looked_at).keys() == before.keys()
        assert all(value is before[name] for name, value in vars(looked_at).items())
    for one in (looked_at, left_alone):
        one.partial_fit(IRIS, **labels)
    method = "score_samples" if hasattr(estimator, "score_samples") else "transform"
    results = [getattr(one, method)(IRIS) for one in (looked_at, left_alone)]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    "kind", [skae.AutoencoderTransformer, skae.VariationalAutoencoderTransformer]
)
def test_moments_of_the_solver_are_kept_from_call_to_call(kind):
    """A solver counts steps, to make up for moments that start at zero."""
    stream = kind(2, batch_size=50, **SMALL)
    for n_calls in (1, 2, 3):
        stream.partial_fit(IRIS)
        moments = stream._solver_state[1]["state"].values()
        assert {int(of_weights["step"]) for of_weights in moments} == {3 * n_calls}
