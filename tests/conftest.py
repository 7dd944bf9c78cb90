"""Settings shared by all tests."""

from __future__ import annotations

import os

# Each worker has a core of its own: more threads of linear algebra than cores wait for each other, which made
# small decompositions ten times slower. Read when NumPy is first imported, and inherited by every worker.
for _library in ("OPENBLAS", "MKL", "OMP"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from hypothesis import settings  # noqa: E402

# Deadlines make a slow machine fail a correct program. In CI the examples are the same every time, so that a
# change is judged by what it changed; `pytest --hypothesis-profile thorough` searches longer.
settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("ci" if os.environ.get("CI") else "local")
