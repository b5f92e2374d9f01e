"""How Sphinx builds the documentation: `make docs`, offline, warnings are errors."""

import re

import skae

project = "skae"
author = "The skae developers"
copyright = "The skae developers"
release = version = skae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "numpydoc",
    "myst_parser",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = "skae"
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False}
html_sidebars = {"**": []}

myst_heading_anchors = 3

extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

# A module's page lists what its __all__ names.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False


def skip_what_others_document(app, what, name, obj, skip, options):
    """Leave out what scikit-learn gives: ``set_fit_request`` and its like, and its loaders."""
    foreign = getattr(obj, "__module__", None) or ""
    return (
        True if re.fullmatch(r"set_\w+_request", name) or foreign.startswith("sklearn.") else None
    )


def setup(app):
    app.connect("autodoc-skip-member", skip_what_others_document)
