"""Print what the tests need, without lifelines (which caps pandas) and with pandas 3.

``make constraints`` compiles the answer into constraints-pandas3.txt.
"""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
declared = project["dependencies"] + project["optional-dependencies"]["dev"]
print("\n".join(["pandas>=3", *(line for line in declared if not line.startswith("lifelines"))]))
