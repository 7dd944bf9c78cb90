"""Effects that change over follow-up against coxph with survSplit and tt, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipseval.errors import AnalysisError
from ipseval.stats.times.cox import cox
from ipseval.stats.times.time_varying import cox_by_period, cox_log_time
from tests.reference_cases import data, expected

CASE = expected("b10_time_varying")
FRAME = data("b2_survival_alpha")
TIME, EVENT, ARM = (FRAME[name].to_numpy() for name in ("time", "status", "arm"))
# Newton's method to 1e-9 of a standard deviation, and coxph to a change of 1e-12 in the likelihood.
CONVERGED = {"rtol": 1e-7, "atol": 1e-8}


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("cuts", [[180], [180, 540]])
def test_effects_by_period_are_those_of_survsplit(ties, cuts):
    wanted = CASE[f"by_period_{ties}_{'_'.join(map(str, cuts))}"]
    found = cox_by_period(TIME, EVENT, ARM, cuts, ties=ties)
    assert_allclose([fit.coef[0] for fit in found.fits], wanted["coef"], **CONVERGED)
    assert_allclose([fit.std_error[0] for fit in found.fits], wanted["se"], **CONVERGED)
    assert [fit.n_event for fit in found.fits] == wanted["n_event"]
    assert sum(fit.loglik for fit in found.fits) == pytest.approx(wanted["loglik"], rel=1e-9)
    assert found.same_effect.statistic == pytest.approx(wanted["same_chisq"], abs=1e-8)
    assert (found.same_effect.df, found.same_effect.p_value) == (
        wanted["same_df"],
        pytest.approx(wanted["same_p"], rel=1e-7),
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_effect_with_log_time_is_that_of_tt(ties):
    wanted = CASE[f"log_time_{ties}"]
    fit = cox_log_time(TIME, EVENT, FRAME[["arm", "age"]].to_numpy(), ties=ties)
    assert_allclose(fit.coef, wanted["coef"], **CONVERGED)
    assert_allclose(fit.covariance, wanted["vcov"], rtol=1e-6, atol=1e-9)
    assert fit.loglik == pytest.approx(wanted["loglik"], rel=1e-9)
    assert (fit.n, fit.n_event) == (151, 93)


def test_a_delayed_entry_that_delays_nothing_changes_nothing():
    before = np.full(TIME.size, -0.5)
    plain, delayed = (cox_by_period(TIME, EVENT, ARM, 180, entry=entry) for entry in (None, before))
    for one, other in zip(plain.fits, delayed.fits, strict=True):
        assert_allclose(other.coef, one.coef, rtol=1e-8)
    plain, delayed = (cox_log_time(TIME, EVENT, ARM, entry=entry) for entry in (None, before))
    assert_allclose(delayed.coef, plain.coef, rtol=1e-8)


def test_someone_entering_later_is_not_in_an_earlier_period():
    entry = np.where(np.arange(TIME.size) % 3 == 0, np.minimum(200.0, TIME - 0.5), -0.5)
    found = cox_by_period(TIME, EVENT, ARM, 150, entry=entry)
    early = entry < 150
    alone = cox(
        np.minimum(TIME, 150)[early], ((TIME <= 150) & (EVENT == 1))[early], ARM[early], entry=entry[early]
    )
    assert_allclose(found.fits[0].coef, alone.coef, rtol=1e-8)


def test_strata_and_clusters_go_with_their_people():
    site = FRAME["site"].to_numpy()
    late = TIME > 180
    found = cox_by_period(TIME, EVENT, ARM, 180, strata=site, cluster=FRAME["id"].to_numpy())
    alone = cox(TIME[late], EVENT[late], ARM[late], strata=site[late], cluster=np.arange(late.sum()))
    assert_allclose(found.fits[1].coef, alone.coef, rtol=1e-8)
    assert_allclose(found.fits[1].std_error, alone.std_error, rtol=1e-8)


def test_a_period_without_an_answer_says_why_and_the_others_stand():
    arm = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    found = cox_by_period([1, 2, 3, 4, 11, 12, 13, 14], [1, 1, 1, 1, 0, 0, 0, 0], arm, 5)
    assert found.fits[0].converged
    assert found.fits[1] is None
    assert "No event among 4 people" in found.reasons[1]
    assert np.isnan(found.same_effect.p_value)


def test_refusals():
    with pytest.raises(AnalysisError, match=r"cuts=\[5.0, 5.0\] are not ascending"):
        cox_by_period([1, 9], [1, 1], [0, 1], [5, 5])
    with pytest.raises(AnalysisError, match="the last of all durations, 9"):
        cox_by_period([1, 9], [1, 1], [0, 1], 9)
    with pytest.raises(AnalysisError, match="2 events at time 0"):
        cox_log_time([0, 0, 9], [1, 1, 1], [0, 1, 1])
