"""What counts as too few people to be shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseval import checks
from ipseval.errors import AnalysisError

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Policy:
    """What counts as too few to be shown.

    Attributes
    ----------
    minimum : int
        The smallest number of people that may be shown.
    zeros : {"show", "hide"}
        Whether an empty cell may be shown.
    """

    minimum: int = 5
    zeros: str = "show"

    def __post_init__(self) -> None:
        if (
            isinstance(self.minimum, bool)
            or not isinstance(self.minimum, int)
            or not 1 <= self.minimum <= 1000
        ):
            raise AnalysisError(
                f"minimum={self.minimum!r} is not a whole number from 1 to 1000 people. "
                f"Common minima are 5 and 10."
            )
        checks.one_of(self.zeros, ("show", "hide"), "zeros")

    def small(self, count: Floats) -> Mask:
        """Whether each count is too small; a missing count is not."""
        lowest = 0.0 if self.zeros == "hide" else 0.5
        with np.errstate(invalid="ignore"):
            return np.asarray((count >= lowest) & (count < self.minimum))

    def apart(self, one: Floats, other: Floats) -> Mask:
        """Whether counts are equal or so far apart that subtracting them shows nobody."""
        gap = np.abs(one - other)
        with np.errstate(invalid="ignore"):
            return np.asarray(~((gap > 0) & (gap < self.minimum)))
