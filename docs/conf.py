"""How Sphinx builds the documentation: `make docs`, offline, warnings are errors."""

import os
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
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
]
# The gallery is made of the examples; their own folder has no pages.
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "skae"
html_show_sourcelink = False
html_static_path = ["_static"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
}
# Pages that stand alone have no list of neighbors.
html_sidebars = {page: [] for page in ("index", "getting_started", "benchmarks")}

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "image_srcset": ["2x"],
    "capture_repr": (),
    "doc_module": ("skae",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"skae": None},
    "reset_modules": ("matplotlib",),
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "abort_on_example_error": True,
}

# Links into the references of others need the network, which the local build does without.
if "READTHEDOCS" in os.environ or "SKAE_DOCS_ONLINE" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "matplotlib": ("https://matplotlib.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "python": ("https://docs.python.org/3", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

# What is copied is the code, without prompts and without what it prints.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

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
