"""The hurdle model against R, glmmTMB and what must hold of any fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.amounts.hurdle import hurdle
from tests import reference_cases

DATA = reference_cases.data("c7_counts_alpha")
WEEKS, ARM, PRIOR, DAYS = (
    DATA[name].to_numpy() for name in ("weeks_worked", "arm", "prior_work_months", "exposure_days")
)


def test_means_coefficients_and_covariance_are_those_of_r():
    wanted = reference_cases.expected("g3_amount_models")["hurdle"]
    found = hurdle(WEEKS, ARM, PRIOR, exposure=DAYS, at=540)
    assert [*found.means, found.coefficients[4], found.coefficients[6]] == approx(
        wanted["estimate"], rel=1e-7
    )
    covariance = np.array(wanted["covariance"])[:2, :2]
    errors = np.sqrt(np.diag(covariance))
    scale = np.outer(errors, errors)
    assert found.covariance / scale == approx(covariance / scale, abs=1e-4)  # numerical derivatives


def test_coefficients_are_those_of_glmmtmb_in_case_c7():
    wanted = reference_cases.expected("c7_counts_alpha")["weeks_worked"]["hurdle_nb2"]
    found = hurdle(WEEKS, ARM, PRIOR, exposure=DAYS, at=540)
    assert found.coefficients[3:6] == approx(list(wanted["coef"].values()), rel=1e-4)  # glmmTMB stops at 1e-6
    assert np.exp(-found.coefficients[6]) == approx(wanted["sigma"], rel=1e-4)


def test_without_covariates_the_means_are_those_of_the_arms():
    # The truncated part has its own mean right in each arm only roughly: the score of a log mean before
    # truncation is not that of the mean after it.
    found = hurdle(WEEKS, ARM)
    assert found.means == approx([WEEKS[ARM == 1].mean(), WEEKS[ARM == 0].mean()], rel=0.05)


people = st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0, 1, 1, 2, 5, 14])), min_size=24, max_size=40)


@settings(max_examples=5, deadline=None)
@given(people, st.randoms())
def test_arms_swap_and_rows_shuffle(rows, random):
    arm, y = (np.array(column) for column in zip(*rows, strict=True))
    try:
        once = hurdle(y, arm)
    except AnalysisError:
        assume(False)
    swapped = hurdle(y, ~arm)
    assert swapped.means == approx(once.means[::-1], rel=1e-5)
    order = random.sample(range(len(y)), len(y))
    shuffled = hurdle(y[order], arm[order]).covariance
    errors = np.sqrt(np.diag(once.covariance))  # the arms' covariance is 0 but for rounding
    assert shuffled / np.outer(errors, errors) == approx(once.covariance / np.outer(errors, errors), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hurdle([0, 0, 1, 2], [1, 1, 0, 0]), "Nobody of 2 in the active arm has any"),
        (lambda: hurdle([0.5, 1, 1, 2], [1, 1, 0, 0]), "1 of 4 entries that are not whole"),
        (lambda: hurdle([0, 1, 0, 2], [1, 1, 0, 0]), "cannot be told apart among the 2 people"),
        (lambda: hurdle([0, 1, 1, 2], [1, 1, 0, 0], exposure=[0, 1, 1, 1]), "not above 0 for 1 of 4"),
        (
            lambda: hurdle([0, 2, 2, 2, 2, 0, 2, 2, 2, 2], [1] * 5 + [0] * 5),
            "No negative binomial has the spread",
        ),
        (  # whoever has any in the active arm has exactly one, so that its mean runs to 0
            lambda: hurdle([0] * 14 + [1, 5, 2, 2, 2, 2, 5, 0, 1, 1], [0] * 21 + [1] * 3),
            "No negative binomial has the spread",
        ),
    ],
)
def test_what_has_no_finite_fit_is_refused(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()
