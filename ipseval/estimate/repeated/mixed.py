"""How do the arms differ at each assessment, when a person's answers over time belong together?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ipseval import checks
from ipseval.endpoints.base import Endpoint
from ipseval.endpoints.scores import Score
from ipseval.errors import AnalysisError
from ipseval.estimate.repeated import (
    marginal_odds,
    nested_site_odds,
    random_intercept_odds,
    random_slope_odds,
    repeated_counts,
    repeated_scores,
)
from ipseval.estimate.repeated.assessments import assessments, baseline_of, covariates_of
from ipseval.estimate.sheet import EVERYBODY_HAD_IT, NOBODY, NOBODY_HAD_IT, Sheet
from ipseval.results import Declaration, Results
from ipseval.stats.regression.links import LINKS
from ipseval.stats.repeated.covariance_structures import STRUCTURES
from ipseval.stats.repeated.denominator_df import DF_METHODS
from ipseval.stats.repeated.estimating_equations import VARIANCES
from ipseval.stats.repeated.working_correlation import CORRELATIONS
from ipseval.trial import Trial

#: Models by the kind of endpoint, the default first, with the options that each of them has.
MODELS: dict[str, dict[str, tuple[str, ...]]] = {
    "binary": {
        "random_intercept": ("points", "link", "interval"),
        "random_slope": ("points",),
        "nested_site": ("points",),
        "gee": ("correlation", "variance"),
    },
    "score": {
        "mmrm": ("covariance", "covariance_per_arm", "df", "baseline_by_month"),
        "random_intercept": ("df", "baseline_by_month"),
        "random_slope": ("df", "baseline_by_month"),
        "ancova": (),
    },
    "amount": {"gee": ("variance",), "negative_binomial": ("points",)},
}
DEFAULTS: dict[str, Any] = {
    "points": 25,
    "link": "logit",
    "interval": "wald",
    "covariance": "unstructured",
    "covariance_per_arm": False,
    "df": "kenward_roger",
    "baseline_by_month": False,
    "correlation": "exchangeable",
    "variance": "mancl_derouen",
}
#: Models of a yes or no: what they yield, and what writes it.
_ODDS: dict[str, tuple[tuple[str, ...], Callable[..., None]]] = {
    "random_intercept": (
        random_intercept_odds.QUANTITIES,
        random_intercept_odds.write_random_intercept_odds,
    ),
    "random_slope": (random_slope_odds.QUANTITIES, random_slope_odds.write_random_slope_odds),
    "nested_site": (nested_site_odds.QUANTITIES, nested_site_odds.write_nested_site_odds),
    "gee": (marginal_odds.QUANTITIES, marginal_odds.write_marginal_odds),
}
_LEAST = {1: "assessments", 2: "several assessments", 3: "three or more assessments"}
_ALL_MODELS = tuple(dict.fromkeys(model for models in MODELS.values() for model in models))

DECLARATION = Declaration(
    name="mixed",
    outcomes=tuple(MODELS),
    quantities=tuple(
        dict.fromkeys(
            quantity
            for quantities in (
                *(yields for yields, _ in _ODDS.values()),
                repeated_scores.QUANTITIES,
                *repeated_counts.QUANTITIES.values(),
            )
            for quantity in quantities
        )
    ),
    section="mixed",
    figure="monthly",
    options={
        "model": partial(checks.one_of, options=_ALL_MODELS, name="model"),
        "adjust": partial(checks.names, name="adjust"),
        "points": partial(checks.whole_number, name="points", low=1, high=100),
        "link": partial(checks.one_of, options=tuple(LINKS), name="link"),
        "interval": partial(checks.one_of, options=random_intercept_odds.INTERVALS, name="interval"),
        "covariance": partial(checks.one_of, options=STRUCTURES, name="covariance"),
        "covariance_per_arm": partial(checks.one_of, options=(True, False), name="covariance_per_arm"),
        "df": partial(checks.one_of, options=DF_METHODS, name="df"),
        "baseline_by_month": partial(checks.one_of, options=(True, False), name="baseline_by_month"),
        "correlation": partial(checks.one_of, options=CORRELATIONS, name="correlation"),
        "variance": partial(checks.one_of, options=VARIANCES, name="variance"),
        "conf_level": checks.confidence,
    },
)


def mixed(
    trial: Trial,
    endpoint: Endpoint,
    *,
    model: str | None = None,
    adjust: Iterable[str] | None = None,
    points: int = 25,
    link: str = "logit",
    interval: str = "wald",
    covariance: str = "unstructured",
    covariance_per_arm: bool = False,
    df: str = "kenward_roger",
    baseline_by_month: bool = False,
    correlation: str = "exchangeable",
    variance: str = "mancl_derouen",
    conf_level: float = 0.95,
    name: str = "mixed",
) -> Results:
    """Compare the arms on an outcome that was assessed several times: a yes or no, or a score.

    **A yes or no** (``ips.employed_at(month=[6, 18, 30])``). ``"random_intercept"`` is a logistic regression
    with a level per month and arm, the covariates, and an intercept of each person's own, integrated out by
    adaptive Gauss-Hermite quadrature. Its odds ratios are conditional: they compare a person with themselves
    in the other arm. With ``link="cloglog"`` it is a complementary log-log regression, and its ratios are
    hazard ratios: of -log(1 - p), the hazard over one interval. Ask for it where a yes means that something
    happened since the assessment before, not where it is a state in which people stay. For a *first* event,
    such as the first job, a person's rows must end with it: use ``ips.survival``, or
    ``ipseval.stats.repeated.random_intercept_logistic`` with a row per person and interval at risk.
    The population-averaged probabilities beside them integrate over the intercepts,
    standardised over everyone randomised, seen or not; their difference is what a rate difference estimates.
    ``"random_slope"`` also gives each person a course over time, correlated with their level: ask for it
    where people change at different paces and there are four assessments or more. ``"nested_site"`` gives
    each site a random level, around which those of its people lie: ask for it where there are many sites and
    the answer is meant for others like them.
    ``"gee"`` models those averages themselves by generalised estimating equations, with a sandwich variance
    corrected for few people and t intervals with people less coefficients as degrees of freedom.

    **A score** (``ips.score("qol", months=[6, 18, 30])``). ``"mmrm"`` is the mixed model for repeated
    measures: a mean per month and arm, the covariates, and errors of a person that may go together in any
    way, by restricted maximum likelihood. With month 0 among the months it is a constrained longitudinal data
    analysis: baseline is an outcome, and the arms share its mean, as randomisation makes them.
    ``"random_intercept"`` and ``"random_slope"`` are linear mixed models with the same means; ``"ancova"`` is
    a linear regression at each month by itself.

    **An amount of successive periods** (``ips.days_worked(by=[6, 12, 18, 24, 30])``, also weeks, hours or
    earnings). What was had between one month and the next, in the days of it that were seen. ``"gee"`` gives
    each arm a rate per period, and its mean over the whole window; it assumes nothing of how amounts are
    distributed, and without covariates its rates are those seen. ``"negative_binomial"`` is a mixed model of
    counts: variance mu + alpha mu^2 and a level per person, normal on the log scale, integrated out by
    quadrature. Its ratios of rates within a person are also ratios of averages. Its means rest on that normal
    distribution: where most people have none and others much, as with days of work, it expects far more
    than was seen, and where that is more than twice as much there are no numbers, but the reason.

    Parameters
    ----------
    trial : Trial
    endpoint : Endpoint
        A yes or no, or a score, at several months (at one for ``"ancova"``), or an amount by several.
    model : str, optional
        "random_intercept" (default), "random_slope", "nested_site" or "gee" for a yes or no; "mmrm"
        (default), "random_intercept", "random_slope" or "ancova" for a score; "gee" (default) or
        "negative_binomial" for an amount.
    adjust : iterable of str, optional
        Covariates and site. By default the strata of the randomisation, and for a score its own baseline if
        there is one and month 0 is not among the months: ``<scale>_baseline`` of participants, else the visit
        of month 0. Where that is missing the mean of everyone stands in (White & Thompson 2005), and the row
        says so. Sites are fixed effects, except in "nested_site", which needs four of them and warns below
        ten: how far sites lie apart cannot be told from two or three, nor well from nine. What suffers are
        intervals of the arms' own probabilities, not of arms compared within sites.
    points : int
        Quadrature points, in "random_slope" and "nested_site" in each of two dimensions (50 at most). The
        answer is checked against more of them, and the row says so if it moves. One point is Laplace's
        approximation: at three visits it puts the spread between people 2 to 11% lower than 25 points do
        and, where they differ much, log-odds ratios 10% higher (``validation/laplace.py``).
    link : {"logit", "cloglog"}
        Of "random_intercept": odds ratios, or hazard ratios of discrete time.
    interval : {"wald", "profile"}
        Of "random_intercept", for its odds or hazard ratios and the spread between people. Profile-likelihood
        intervals need no symmetry, hold where the spread is near zero, and go with likelihood-ratio tests;
        they take some ten times as long.
    covariance : str
        Of the errors of one person in an MMRM: "unstructured", "heterogeneous_ar1",
        "heterogeneous_compound_symmetry", "ar1" or "compound_symmetry". If it cannot be fitted the next in
        this order stands in; method and note say which. "ar1" counts assessments, which should be equally far
        apart.
    covariance_per_arm : bool
        Whether each arm has a covariance of its own.
    df : {"kenward_roger", "satterthwaite"}
        Degrees of freedom. Kenward and Roger's also enlarge the standard errors.
    baseline_by_month : bool
        Whether a score's own baseline has an effect of its own at each month, as in the primary model of many
        trials: what it says of a later score fades with time. Means are still those at the average baseline.
    correlation : {"exchangeable", "ar1", "unstructured", "independence"}
        Working correlation of a GEE. A wrong one costs precision and nothing else.
    variance : {"mancl_derouen", "kauermann_carroll", "robust", "model"}
        Of a GEE. The first two are corrected for few people. Of an amount the first or the third.
    conf_level : float
        Two-sided confidence level of all intervals.
    name : str
        What the rows are called in the ``analysis`` column.

    Returns
    -------
    Results
        Per month, and averaged over the months (term "average"): for a yes or no odds ratios, probabilities
        of the arms, their difference (whose limits are joined from those of both arms and stay within -1 and
        1) and ratio; for a score least-squares means of the arms, at the mean covariates of everyone
        randomised, and their difference. A test that the effect is the same at every month; with random
        intercepts, likelihood-ratio tests of no effect at any month and of no spread between people. For a
        yes or no also the area under the curve of probabilities, in months: the average time with the
        outcome, by straight lines from the first month asked for to the last, so that no month 0 is needed.
        Assessments that were not seen are left out and counted in ``n_missing``. Of an amount, per period
        from ``time_from`` to ``time``: means of the arms, their difference and the ratio of rates; over the
        "whole_window" means, difference and ratio; ``n_event`` counts people with any. ``print`` and
        ``.explain()`` say the model.

    Raises
    ------
    AnalysisError
        For an endpoint that is not assessed repeatedly, covariates that are unknown or incomplete, options
        that the model does not have.

    References
    ----------
    Pinheiro & Bates (1995), JCGS 4:12-35; Zeger, Liang & Albert (1988), Biometrics
    44:1049-1060; Zou & Donner (2008), Statistics in Medicine 27:1693-1702. Mallinckrodt, Clark &
    David (2001), Journal of Biopharmaceutical Statistics 11:9-21; Kenward & Roger (1997), Biometrics
    53:983-997; Liang & Zeger (2000), Sankhya B 62:134-148; Mancl & DeRouen (2001), Biometrics 57:126-134.
    Rabe-Hesketh, Skrondal & Pickles (2005), Journal of Econometrics 128:301-323; Stram & Lee (1994),
    Biometrics 50:1171-1177.

    Examples
    --------
    >>> import ipseval as ips
    >>> trial = ips.example("scion")
    >>> found = ips.mixed(trial, ips.employed_at(month=[6, 18, 30], source="visits"))
    >>> row = found.one(quantity="population_averaged_difference", time=30)
    >>> bool(row.conf_low < row.estimate < row.conf_high)
    True
    >>> found = ips.mixed(trial, ips.score("qol", months=[6, 18, 30]))
    >>> found.one(quantity="least_squares_mean_difference", term="average").method
    'mmrm_unstructured'
    """
    given = {
        "points": points,
        "link": link,
        "interval": interval,
        "covariance": covariance,
        "covariance_per_arm": covariance_per_arm,
        "df": df,
        "baseline_by_month": baseline_by_month,
        "correlation": correlation,
        "variance": variance,
    }
    model = _model(endpoint, model, given)
    options: dict[str, Any] = {option: given[option] for option in MODELS[endpoint.kind][model]}
    names = _adjusted(trial, endpoint, adjust, model)
    arguments = {"model": model, "adjust": list(names), **options}
    sheet = Sheet(trial, DECLARATION, name, endpoint, arguments, checks.confidence(conf_level))
    outcome = endpoint.evaluate(trial)
    if endpoint.kind == "amount":
        seen = repeated_counts.periods(trial, endpoint, outcome, covariates_of(trial, names))
        repeated_counts.write_repeated_counts(sheet, seen, model, **options)
        return sheet.results()
    own_baseline = f"{endpoint.scale}_baseline" if isinstance(endpoint, Score) else ""
    by_month = options.pop("baseline_by_month", False)
    if by_month and own_baseline not in names:
        raise AnalysisError(
            f"baseline_by_month=True needs {own_baseline!r} among the covariates. Name it in adjust=, with "
            f"its values in participants or at month 0 of visits, and leave month 0 out of the months."
        )
    panel = assessments(
        trial,
        outcome,
        endpoint.months,
        covariates_of(trial, names, own_baseline, by_month=by_month),
        shared_at_start=endpoint.kind == "score" and endpoint.months[0] == 0,
    )
    if endpoint.kind == "score":
        repeated_scores.write_repeated_scores(sheet, outcome, panel, model, **options)
    elif reason := _without_odds(outcome):
        by_link = random_intercept_odds.BY_LINK[link] if model == "random_intercept" else _ODDS[model][0]
        for quantity in by_link:
            sheet.add(quantity, method=model, note=reason)
    else:
        _ODDS[model][1](sheet, outcome, panel, **options)
    return sheet.results()


def _model(endpoint: Endpoint, model: str | None, given: Mapping[str, Any]) -> str:
    """Return the model, or refuse what it cannot be fitted to and options that it does not have."""
    models = MODELS.get(endpoint.kind, {})
    least = 1 if model == "ancova" else 3 if model == "random_slope" else 2
    is_repeated = endpoint.kind == "amount" or not endpoint.cumulative
    if not models or len(endpoint.months) < least or not is_repeated:
        raise AnalysisError(
            f"{endpoint.key} is not a yes or no or a score at {_LEAST[least]}, nor an amount by several "
            f"months. Use ips.employed_at(month=[6, 18, 30]), ips.score('qol', months=[6, 18, 30]) or "
            f"ips.days_worked(by=[6, 12, 18]); for a single month ips.rates or ips.amounts, or "
            f"model='ancova' for a score."
        )
    model = model or next(iter(models))
    checks.one_of(model, models, "model")
    if endpoint.kind == "amount":
        repeated_counts.refuse_other_amounts(endpoint, model, given["variance"])
    for option, value in given.items():
        DECLARATION.options[option](value)
        if option not in models[model] and value != DEFAULTS[option]:
            has = ", ".join(models[model]) or "no other"
            raise AnalysisError(
                f"{option}={value!r} has no part in model={model!r} of a {endpoint.kind} outcome. "
                f"Leave it out; besides adjust and conf_level this model has {has}."
            )
    if model == "ancova" and endpoint.months[0] == 0:
        raise AnalysisError(
            "model='ancova' has the baseline among its covariates. Leave month 0 out of the months, or use "
            "model='mmrm', in which it is an outcome."
        )
    return model


def _adjusted(trial: Trial, endpoint: Endpoint, adjust: Iterable[str] | None, model: str) -> tuple[str, ...]:
    """Return the covariates that were asked for, or the strata and a score's own baseline."""
    if adjust is not None:
        names = checks.names(adjust, "adjust")
        if isinstance(endpoint, Score) and endpoint.months[0] == 0 and f"{endpoint.scale}_baseline" in names:
            raise AnalysisError(
                f"'{endpoint.scale}_baseline' is an outcome when month 0 is among the months, and cannot be "
                f"a covariate too. Leave it out of adjust=, or month 0 out of the months."
            )
        if model == "nested_site" and "site" in names:
            raise AnalysisError(
                "'site' is a random effect of model='nested_site', and cannot be a covariate too. Leave it "
                "out of adjust=, or use model='random_intercept', in which sites are fixed."
            )
        return names
    is_random = {"site"} if model == "nested_site" else set()
    strata = tuple(name for name in trial.design.strata if name not in is_random)
    if not isinstance(endpoint, Score) or endpoint.months[0] == 0:
        return strata
    own = f"{endpoint.scale}_baseline"
    return strata if own in strata or baseline_of(trial, endpoint.scale) is None else (*strata, own)


def _without_odds(outcome: pd.DataFrame) -> str:
    """Return why there are no odds to model: nothing known, or nobody or everybody with the outcome."""
    known = outcome.loc[outcome["known"], "value"].to_numpy(dtype=np.float64)
    if not len(known):
        return NOBODY
    return "" if np.ptp(known) else EVERYBODY_HAD_IT if known[0] else NOBODY_HAD_IT
