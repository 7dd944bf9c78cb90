"""Numbers only: arrays in, numbers out. No Trial, no Results, no plotting.

Each kernel is a plain function, pinned to another program in ``tests/reference``. Import the module
that is wanted (``from ipseval.stats.proportions import two_proportions``); nothing is imported here, so
that a caller pays only for what it uses.
"""
