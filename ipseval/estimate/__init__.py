"""Trial language: a Trial and an Endpoint in, Results out; one file per question, in rooms by its kind.

``ESTIMATORS`` is the catalogue that plans and reports read: each module declares itself, here they
are only gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ipseval.estimate import describe
from ipseval.estimate.amounts import amounts
from ipseval.estimate.proportions import rates
from ipseval.estimate.repeated import mixed
from ipseval.estimate.times import interview_survival, recurrent, survival
from ipseval.results import Declaration, Results


class Estimator(NamedTuple):
    """What an estimator declares of itself, and the function that answers."""

    declaration: Declaration
    function: Callable[..., Results]


ESTIMATORS: dict[str, Estimator] = {
    declaration.name: Estimator(declaration, function)
    for declaration, function in (
        (describe.DECLARATION, describe.describe),
        (rates.DECLARATION, rates.rates),
        (survival.DECLARATION, survival.survival),
        (interview_survival.DECLARATION, interview_survival.interview_survival),
        (recurrent.DECLARATION, recurrent.recurrent),
        (mixed.DECLARATION, mixed.mixed),
        (amounts.DECLARATION, amounts.amounts),
    )
}

__all__ = ["ESTIMATORS", "Estimator"]
