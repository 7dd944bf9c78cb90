"""How soon do people find a first job, with death competing, and how do the arms differ?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from ipseval import checks
from ipseval.endpoints.base import Endpoint, months_of
from ipseval.errors import AnalysisError
from ipseval.estimate.design_matrix import adjustment
from ipseval.estimate.proportions.clustered_rates import clusters_of
from ipseval.estimate.sheet import Sheet, contrast_label
from ipseval.estimate.times.arm_curves import at_risk, curves, milestones_and_median
from ipseval.estimate.times.arm_times import arm_times
from ipseval.estimate.times.changing_hazards import cuts_within, effect_by_of
from ipseval.estimate.times.delayed_entry import first_days, say_of_entry
from ipseval.estimate.times.hazards import Models, hazards
from ipseval.estimate.times.restricted_means import arm_restricted_means, restricted_mean_contrasts
from ipseval.estimate.times.time_contrasts import (
    DEATHS_APART,
    ZERO_AMONG_OBSERVED,
    ZERO_WITHOUT_JOB,
    incidence_contrasts,
    is_time_since,
    months_within,
    say_also,
    say_of_the_lost,
)
from ipseval.results import Declaration, Results
from ipseval.trial import Trial

DECLARATION = Declaration(
    name="survival",
    outcomes=("time",),
    quantities=(
        "cumulative_incidence",
        "cumulative_incidence_difference",
        "cumulative_incidence_ratio",
        "number_at_risk",
        "cumulative_events",
        "cumulative_censored",
        "median_time",
        "restricted_mean_time_lost",
        "restricted_mean_time_lost_difference",
        "restricted_mean_time_lost_ratio",
        "restricted_mean_survival_time",
        "restricted_mean_survival_time_difference",
        "restricted_mean_survival_time_ratio",
        "log_rank_test",
        "gray_test",
        "hazard_ratio",
        "subdistribution_hazard_ratio",
        "proportional_hazards_test",
        "scaled_schoenfeld_residual",
    ),
    section="survival",
    figure="incidence",
    options={
        "milestones": partial(months_of, name="milestones"),
        "horizons": partial(months_of, name="horizons"),
        "strata": partial(checks.names, name="strata"),
        "adjust": partial(checks.names, name="adjust"),
        "frailty": partial(checks.names, name="frailty"),
        "cluster": partial(checks.column, name="cluster"),
        "entry": partial(checks.column, name="entry"),
        "effect_by": effect_by_of,
        "residuals": partial(checks.one_of, options=(True, False), name="residuals"),
        "conf_level": checks.confidence,
    },
)


def survival(
    trial: Trial,
    endpoint: Endpoint,
    *,
    milestones: float | Iterable[float] | None = None,
    horizons: float | Iterable[float] | None = None,
    strata: Iterable[str] | None = None,
    adjust: Iterable[str] = (),
    frailty: Iterable[str] = (),
    cluster: str | None = None,
    entry: str | None = None,
    effect_by: float | Iterable[float] | str | None = None,
    residuals: bool = False,
    conf_level: float = 0.95,
    name: str = "survival",
) -> Results:
    """Cumulative incidence of a first event with death competing, and how the arms differ in time.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        A time such as ``ips.time_to_first_job(horizon=30)``.
    milestones : number, or several, optional
        Months at which the incidence and its difference are reported; by default the design's
        assessments within the horizon, and the horizon.
    horizons : number, or several, optional
        Months up to which mean times are taken; by default the endpoint's own horizon. A mean up to 12
        months and one up to 30 answer two questions, so that none of them is the check of another.
    strata : iterable of str, optional
        Columns of participants that stratify the tests and the Cox model; by default the strata of the
        randomisation. The unstratified answers stand beside them.
    adjust : iterable of str, optional
        Covariates and site: adds the difference in mean time since the event adjusted for them, by
        regression of pseudo-values.
    frailty : iterable of str, optional
        Columns of participants, such as ``["site"]``, whose groups share an unknown factor of their
        hazard: adds the hazard ratio of the Cox model with gamma frailty. With few sites their spread is
        hardly known, and stratifying, the default, asks for less.
    cluster : str, optional
        Column of participants such as ``"coach"``, whose people may be alike in any way: adds the hazard
        ratio with a robust variance by cluster, without and with the strata; the latter is then the main
        one. Where an arm has no coaches, everyone there is a cluster
        of one. Fewer than ten clusters are refused.
    entry : str, optional
        Covariate with everyone's first day under observation, in days since randomisation, as where a
        register was linked late; 0 or less for those seen from the start. People count from that day on.
        Who came after a first job or the own last day, or on a day that is missing, was never seen at risk
        and is left out, counted beside the numbers at risk.
    effect_by : number, or several, or "log_time", optional
        Months at which the hazard ratio may change, ``6`` for the first six months and what follows: adds
        a ratio per period. "log_time" adds one that moves with the logarithm of time, read at the
        milestones. Both come with a test that it does not change.
    residuals : bool
        Whether to add scaled Schoenfeld residuals and the hazard ratio as a curve through them, for
        ``ips.plot(..., figure="schoenfeld")``. A residual is about a few people; only the curve is shown
        to others.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per arm: the curve (Aalen-Johansen with log-log limits; times in study days) and a band that
        holds the whole of it, its values at the milestones, the number at risk every six months, the
        median time, and at each of ``horizons`` the restricted mean time since the event (the area under
        the cumulative incidence, which software calls time lost) and the restricted mean time alive
        without it. Per contrast: differences and ratios of these, tests, and hazard ratios with a check
        of proportional hazards. Unlike rates, people who are lost leave the denominator on the day they
        are lost, which assumes that leaving says nothing about finding work. Mean time since the first job
        is not time in work, since jobs end: for that use ``ips.amounts(trial, ips.days_worked(by=30))``.

    Raises
    ------
    AnalysisError
        For an endpoint that is not a time, strata that are unknown or incomplete, clusters that are
        incomplete or fewer than ten, or an ``entry`` that is no covariate in whole days.

    Notes
    -----
    The main interval of a difference in incidence joins the arms' own log-log limits (Zou and Donner).
    It keeps its level in arms of 25, where the Wald interval, which stands beside it, falls short. Neither
    exists while an arm has had no event.

    The log-rank test and the hazard ratio compare the living, the dead being censored; Gray's test and
    the subdistribution hazard ratio (Fine-Gray) compare the incidences, in which the dead stay. Beside
    the log-rank test stand the Fleming-Harrington test with weights (0, 1), for late differences, and
    Gehan's, for early ones; beside Efron's treatment of ties that of Breslow.

    The variance by cluster is the sandwich times G / (G - 1), with t limits on G - 1 degrees of freedom;
    where some people are clusters of one, these and the others are two samples, each with its own factor,
    and the degrees of freedom are Satterthwaite's.

    With ``entry`` a person is at risk from that day to the last, both included: R's ``Surv(entry - 1, day,
    event)``. It assumes that the day somebody comes under observation says nothing about finding work. What
    happened before anyone of an arm was observed is unknown, so that its curve is about people without the
    event by then: it starts there, and there is no number at an earlier horizon. Where the first days of two
    arms differ, their values at a horizon speak of different people, and their differences and ratios (of
    incidence and of mean times) are not defined; hazards, compared day by day, are. Gray's test, Fine-Gray,
    frailty and pseudo-values take no late entry: their rows say so.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141-150; Zhao et al. (2016),
    Biometrics 72:215-221 (restricted means); Efron (1977), JASA 72:557-565 (ties); Zou & Donner (2008),
    Statistics in Medicine 27:1693-1702 (differences); Gray (1988), Annals of Statistics 16:1141-1154;
    Fine & Gray (1999), JASA 94:496-509; Andersen, Hansen & Klein (2004), Lifetime Data Analysis
    10:335-350 (pseudo-values).

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.survival(ips.example("scion"), ips.time_to_first_job(horizon=30))
    >>> row = found.one(quantity="cumulative_incidence", time_unit="months", time=30, arm="IPS")
    >>> bool(0.40 < row.estimate < 0.55)
    True
    """
    if endpoint.kind not in DECLARATION.outcomes:
        raise AnalysisError(
            f"{endpoint.name} is a {endpoint.kind} outcome; survival is of a time. "
            f"Use ips.time_to_first_job(horizon=30), or ips.rates for a yes or no."
        )
    design = trial.design
    horizon = endpoint.months[-1]
    months = months_within(milestones, "milestones", horizon, design.assessment_months)
    ends = months_within(horizons, "horizons", horizon)
    columns = design.strata if strata is None else checks.names(strata, "strata")
    covariates, shared = checks.names(adjust, "adjust"), checks.names(frailty, "frailty")
    arguments: dict[str, Any] = {"milestones": months, "horizons": ends, "strata": list(columns)}
    arguments |= {"adjust": list(covariates), "frailty": list(shared)}
    arguments |= {key: column for key, column in (("cluster", cluster), ("entry", entry)) if column}
    by = None if effect_by is None else cuts_within(effect_by_of(effect_by), horizon)
    checks.one_of(residuals, (True, False), "residuals")
    if residuals:
        arguments["residuals"] = True
    if by:
        arguments["effect_by"] = by if isinstance(by, str) else list(by)
    models = Models(
        horizon,
        months,
        strata=columns,
        frailty=shared,
        clusters=clusters_of(trial, cluster) if cluster else None,
        effect_by=by,
        residuals=residuals,
    )
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    sheet.main("aalen_johansen", "", "cumulative_incidence")
    outcome = endpoint.evaluate(trial)
    since = first_days(trial, entry) if entry else None
    sheet.covariates = tuple(adjustment(trial, covariates)[1])
    arms = arm_times(trial, outcome, columns, shared, covariates, since)
    for arm, data in arms.items():
        curves(sheet, arm, data, horizon)
        at_risk(sheet, arm, data, horizon)
        milestones_and_median(sheet, arm, data, horizon, months)
        arm_restricted_means(sheet, arm, data, ends)
    for active, reference in design.comparisons:
        pair = (arms[active], arms[reference])
        label = contrast_label(active, reference)
        incidence_contrasts(sheet, label, pair, months)
        restricted_mean_contrasts(sheet, label, pair, ends, covariates)
        hazards(sheet, label, pair, models)
    if any((data.cause == 2).any() for data in arms.values()):
        say_also(sheet, DEATHS_APART, lambda row: row["quantity"] == "cumulative_censored")
    is_whole = sum(len(data.days) for data in arms.values()) == len(outcome)
    say_also(sheet, ZERO_WITHOUT_JOB if is_whole else ZERO_AMONG_OBSERVED, is_time_since)
    say_of_the_lost(sheet)
    if since is not None:
        say_of_entry(sheet, arms, outcome, since)
    return sheet.results()
