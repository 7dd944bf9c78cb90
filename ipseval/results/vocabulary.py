"""The fixed vocabulary of results: the columns of the one table and the closed list of quantities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

KEY = (
    "analysis",
    "endpoint",
    "population",
    "subgroup",
    "term",
    "time_from",
    "time",
    "time_unit",
    "quantity",
    "arm",
    "contrast",
    "method",
    "setting",
)
VALUE = (
    "estimate",
    "unit",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_level",
    "conf_low",
    "conf_high",
)
BASE = ("n", "n_event", "n_missing", "status", "note")
COLUMNS = KEY + VALUE + BASE

NUMBERS = tuple(name for name in ("time_from", "time", *VALUE) if name != "unit")
COUNTS = ("n", "n_event", "n_missing")
TEXTS = tuple(column for column in COLUMNS if column not in NUMBERS + COUNTS)

#: What stands under a curve: whole people so far, at each month.
AT_RISK = ("number_at_risk", "cumulative_events", "cumulative_censored")

#: "not_defined" is an answer: the quantity has no value in these data, as a ratio over nobody, or a
#: median that was not reached. "failed" is none: it could not be computed.
STATUSES = ("ok", "warned", "not_defined", "failed", "suppressed")

#: The families of figure that can be drawn from results; `render` has a module for each.
FIGURES = ("incidence", "mean_cumulative", "schoenfeld", "monthly", "rates", "methods", "unknowns", "amounts")

Scale = Literal[
    "proportion",  # 0 to 1; printed as a percentage
    "difference",  # of proportions; printed in percentage points
    "ratio",  # std_error and statistic are those of its logarithm
    "number",  # an amount in the row's unit
    "count",  # whole people or events
    "test",  # carries a statistic and a p value, no estimate of its own
]


@dataclass(frozen=True)
class Quantity:
    """What an estimate is an estimate of: its scale, and the value that means no difference."""

    name: str
    scale: Scale
    null: float | None = None


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        # rates
        Quantity("proportion", "proportion"),
        Quantity("risk_difference", "difference", 0.0),
        Quantity("risk_ratio", "ratio", 1.0),
        Quantity("odds_ratio", "ratio", 1.0),
        Quantity("number_needed_to_treat", "number"),
        Quantity("association_test", "test"),
        Quantity("homogeneity_test", "test"),
        Quantity("non_inferiority_test", "test"),
        # time to an event
        Quantity("cumulative_incidence", "proportion"),
        Quantity("event_free_probability", "proportion"),
        Quantity("number_at_risk", "count"),
        Quantity("cumulative_events", "count"),
        Quantity("cumulative_censored", "count"),
        Quantity("median_time", "number"),
        Quantity("restricted_mean_survival_time", "number"),
        Quantity("restricted_mean_survival_time_difference", "number", 0.0),
        Quantity("restricted_mean_survival_time_ratio", "ratio", 1.0),
        Quantity("restricted_mean_time_lost", "number"),
        Quantity("restricted_mean_time_lost_difference", "number", 0.0),
        Quantity("restricted_mean_time_lost_ratio", "ratio", 1.0),
        Quantity("cumulative_incidence_difference", "difference", 0.0),
        Quantity("cumulative_incidence_ratio", "ratio", 1.0),
        Quantity("log_rank_test", "test"),
        Quantity("gray_test", "test"),
        Quantity("hazard_ratio", "ratio", 1.0),
        Quantity("subdistribution_hazard_ratio", "ratio", 1.0),
        Quantity("proportional_hazards_test", "test"),
        Quantity("scaled_schoenfeld_residual", "number"),
        # events that recur
        Quantity("mean_cumulative_number", "number"),
        Quantity("mean_cumulative_number_difference", "number", 0.0),
        Quantity("mean_cumulative_number_ratio", "ratio", 1.0),
        Quantity("mean_cumulative_number_test", "test"),
        # repeated outcomes
        Quantity("conditional_log_odds_ratio", "number", 0.0),
        Quantity("conditional_odds_ratio", "ratio", 1.0),
        Quantity("conditional_log_hazard_ratio", "number", 0.0),
        Quantity("conditional_hazard_ratio", "ratio", 1.0),
        Quantity("arm_effect_test", "test"),
        Quantity("arm_by_month_test", "test"),
        Quantity("random_intercept_sd", "number"),
        Quantity("random_slope_sd", "number"),
        Quantity("random_slope_test", "test"),
        Quantity("random_site_sd", "number"),
        Quantity("intercept_variance_test", "test"),
        Quantity("population_averaged_probability", "proportion"),
        Quantity("population_averaged_difference", "difference", 0.0),
        Quantity("population_averaged_ratio", "ratio", 1.0),
        Quantity("area_under_curve", "number"),
        Quantity("area_under_curve_difference", "number", 0.0),
        Quantity("area_under_curve_ratio", "ratio", 1.0),
        Quantity("population_averaged_log_odds_ratio", "number", 0.0),
        Quantity("population_averaged_odds_ratio", "ratio", 1.0),
        Quantity("least_squares_mean", "number"),
        Quantity("least_squares_mean_difference", "number", 0.0),
        # amounts
        Quantity("mean", "number"),
        Quantity("mean_difference", "number", 0.0),
        Quantity("mean_ratio", "ratio", 1.0),
        Quantity("rate_ratio", "ratio", 1.0),
        Quantity("overdispersion", "number"),
        Quantity("median", "number"),
        Quantity("share_zero", "proportion"),
        Quantity("probability_of_superiority", "proportion", 0.5),
        Quantity("rank_test", "test"),
        Quantity("location_shift", "number", 0.0),
        # description
        Quantity("count", "count"),
        Quantity("percentage", "proportion"),
        Quantity("standard_deviation", "number"),
        Quantity("lower_quartile", "number"),
        Quantity("upper_quartile", "number"),
        Quantity("standardised_mean_difference", "number", 0.0),
    )
}


@dataclass(frozen=True)
class Declaration:
    """What an estimator says of itself, once; plan, catalogue and report need no second list.

    Attributes
    ----------
    name : str
        The name used in plans and in the ``analysis`` column.
    outcomes : tuple of str
        The kinds of endpoint it takes ("binary", "time", "amount", ...); empty = no endpoint.
    quantities : tuple of str
        What it can yield, out of ``QUANTITIES``.
    section : str
        The section of the report it belongs to (a key of the catalogue of words).
    figure : str
        The family of figure drawn from it; empty = none.
    options : mapping of str to callable
        For each argument that can be checked without data, what refuses a wrong value of it; the
        estimator and the reading of a plan use the same check.
    """

    name: str
    outcomes: tuple[str, ...]
    quantities: tuple[str, ...]
    section: str
    figure: str = ""
    options: Mapping[str, Callable[[Any], object]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.quantities if name not in QUANTITIES]
        if unknown:
            raise ValueError(f"{self.name} declares quantities that do not exist: {unknown}")
