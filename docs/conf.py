"""How Sphinx builds the documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from agavepy import __version__

project = "agavepy"
copyright = "the agavepy authors"
version = release = __version__
extensions = ["reference"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "The Python client of the Agave platform", "fixed_sidebar": True}
nitpicky = True
