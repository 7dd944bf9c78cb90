"""The one Results table: what every estimator writes and every renderer reads."""

from ipseval.results.table import PublicResults, Results, Row
from ipseval.results.vocabulary import QUANTITIES, Declaration, Quantity

__all__ = ["QUANTITIES", "Declaration", "PublicResults", "Quantity", "Results", "Row"]
