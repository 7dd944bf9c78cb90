"""Sphinx configuration: builds without warnings and without the internet."""

import sys
from pathlib import Path

from ipseval import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ipseval"
author = "the ipseval developers"
copyright = "2026, the ipseval developers. The people in all examples are simulated"
version = release = __version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "generated_pages",  # from the schema, the endpoints, the command line and a run, see _ext/
    "mathml",  # formulas as MathML, which browsers draw themselves: no script, nothing to fetch
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_ext", "_templates", "_generated/*.inc.md", "**/_generated/*.inc.md"]

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc sections say it in words
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

html_theme = "pydata_sphinx_theme"
html_title = "ipseval"
html_static_path = ["_static"]
html_sidebars = {"index": [], "gallery": []}
html_css_files = ["ipseval.css"]
html_extra_path = ["_generated/public"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
