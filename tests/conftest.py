"""Settings shared by all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Deadlines make a slow machine fail a correct program; CI looks at more examples than a laptop run.
settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=150, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
