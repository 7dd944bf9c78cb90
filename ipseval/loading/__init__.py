"""Files and ``trial.toml`` to a ``Trial``, with every problem reported at once."""

from __future__ import annotations

from ipseval.loading.assemble import inspect, load
from ipseval.loading.messages import problems_text

__all__ = ["inspect", "load", "problems_text"]
