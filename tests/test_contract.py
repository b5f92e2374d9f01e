"""What is scikit-learn's in our estimators speaks of ours."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
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
