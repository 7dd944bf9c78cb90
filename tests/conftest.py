"""Settings shared by all tests."""

from __future__ import annotations

import os

# Each worker has a core of its own: more threads of linear algebra than cores wait for each other (seen on
# two busy cores: decompositions of 300 x 300 took ten times as long with two threads as with one). Read when
# NumPy is first imported, and inherited by every worker and command.
for _library in ("OPENBLAS", "MKL", "OMP"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# Deadlines make a slow machine fail a correct program. In CI the examples are the same every time, so that a
# change is judged by what it changed. "thorough" searches longer: pytest --hypothesis-profile thorough
settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("brief", deadline=None, max_examples=10, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each worker its own stretch of files, so that what a file computes once is computed once."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)
