"""The Andersen-Gill model against R's coxph (case b11), the Cox model by intervals, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError, NotDefinedError
from ipseval.stats.times.andersen_gill import andersen_gill
from ipseval.stats.times.cox import cox
from tests.reference_cases import data, expected

CASE = expected("b11_recurrent_events")
# Newton's method to 1e-9, R's until the likelihood stands still to 1e-12.
CLOSE = {"rtol": 1e-8}


def people_of(frame, *covariates):
    """Return duration, person and event time from a row per interval, and columns of each person."""
    last = frame.sort_values("stop").groupby("id").last()
    happened = frame.loc[frame["status"] == 1]
    columns = [last[name].to_numpy() for name in covariates]
    return (
        last["stop"].to_numpy(),
        last.index.get_indexer(happened["id"]),
        happened["stop"].to_numpy(),
        columns,
    )


FITS = {
    ("cgd", "andersen_gill"): (["arm"], None),
    ("cgd", "andersen_gill_adjusted"): (["arm", "age"], None),
    ("cgd", "andersen_gill_stratified"): (["arm"], "site"),
    ("bladder", "andersen_gill"): (["arm", "number"], None),
}


@pytest.mark.parametrize("fit", FITS, ids="_".join)
def test_rate_ratios_and_robust_errors_are_those_of_case_b11(fit):
    wanted, (covariates, by) = CASE[fit[0]][fit[1]], FITS[fit]
    frame = data("b11_recurrent_events", f"{fit[0]}.csv")
    *events, columns = people_of(frame, *covariates, *([by] if by else []))
    strata = columns.pop() if by else None
    got = andersen_gill(*events, np.column_stack(columns), strata=strata)
    assert got.converged
    assert got.n_event == wanted["n_event"]
    assert_allclose(got.coef, np.atleast_1d(wanted["coef"]), **CLOSE)
    assert_allclose(got.std_error, np.atleast_1d(wanted["robust_se"]), **CLOSE)
    assert_allclose(np.sqrt(np.diag(got.covariance)), np.atleast_1d(wanted["model_se"]), **CLOSE)
    assert_allclose([got.loglik_null, got.loglik], wanted["loglik"], **CLOSE)


@pytest.fixture
def sample():
    rng = np.random.default_rng(9)
    n = 60
    duration = rng.integers(20, 90, n)
    person = np.repeat(np.arange(n), rng.poisson(1.2, n))
    when = rng.integers(1, duration[person] + 1)
    return duration, person, when, np.arange(n) % 2, rng.integers(0, 3, n)


def test_it_is_the_cox_model_of_each_person_s_intervals(sample):
    duration, person, when, arm, site = sample
    rows = np.unique(np.column_stack([person, when]), axis=0)  # intervals know one event of a person a day
    person, when = rows.T
    got = andersen_gill(duration, person, when, arm, strata=site)
    begin, end, event, who = [], [], [], []
    for i, last in enumerate(duration):
        cuts = [*when[person == i], *([] if last in when[person == i] else [last])]
        begin += [0, *cuts[:-1]]
        end += cuts
        event += [cut in when[person == i] for cut in cuts]
        who += [i] * len(cuts)
    theirs = cox(
        end, event, arm[who].astype(float), ties="breslow", strata=site[who], entry=begin, cluster=who
    )
    assert_allclose(got.coef, theirs.coef, rtol=1e-9)
    assert_allclose(got.std_error, theirs.std_error, rtol=1e-9)
    assert got.wald_test.statistic == pytest.approx(theirs.wald_test.statistic)
    assert got.loglik == pytest.approx(theirs.loglik)


def test_swapping_the_arms_inverts_the_ratio_and_twins_halve_the_variance(sample):
    duration, person, when, arm, site = sample
    once = andersen_gill(duration, person, when, arm, strata=site)
    swapped = andersen_gill(duration, person, when, 1 - arm, strata=site)
    assert_allclose(swapped.coef, -once.coef, rtol=1e-8)
    assert_allclose(swapped.std_error, once.std_error, rtol=1e-8)
    n = duration.size
    twice = andersen_gill(
        np.tile(duration, 2), np.append(person, person + n), np.tile(when, 2), np.tile(arm, 2),
        strata=np.tile(site, 2),
    )  # fmt: skip
    assert_allclose(twice.coef, once.coef, rtol=1e-8)
    assert_allclose(twice.std_error, once.std_error / np.sqrt(2), rtol=1e-8)


def test_an_arm_without_events_has_an_infinite_ratio_and_a_reason():
    fit = andersen_gill([90] * 6, [0, 1, 1], [10, 20, 30], [1, 1, 1, 0, 0, 0])
    assert not fit.converged
    assert fit.coef[0] == np.inf
    assert np.isnan(fit.std_error[0])
    assert "Infinite coefficient" in fit.reason


def test_refusals():
    with pytest.raises(NotDefinedError, match="No event among 4 people"):
        andersen_gill([90] * 4, [], [], [0, 0, 1, 1])
    with pytest.raises(AnalysisError, match="same for everybody"):
        andersen_gill([90] * 4, [0], [5], [1, 1, 1, 1])
    with pytest.raises(AnalysisError, match="after duration for 1 of 1 events"):
        andersen_gill([90] * 4, [0], [95], [0, 0, 1, 1])
