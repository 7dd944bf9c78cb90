"""Rates per period with people as clusters against geepack, by hand, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from pytest import approx

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.estimating_equations import estimating_equations
from ipseval.stats.repeated.log_linear_means import wald_f
from ipseval.stats.repeated.period_rates import PeriodRates, period_rates
from tests import reference_cases

R = reference_cases.expected("c11_counts_by_period")["trial"]["gee_independence"]
TRIAL = reference_cases.data("c11_counts_by_period")
PERIODS = (TRIAL["period"].to_numpy()[:, None] == np.arange(1, 5)).astype(float)
ARM = TRIAL["arm"].to_numpy()
X = np.hstack([PERIODS, PERIODS * ARM[:, None]])
Y, PERSON, DAYS = (TRIAL[name].to_numpy(float) for name in ("y", "person", "exposure"))


def fitted(variance: str = "mancl_derouen") -> PeriodRates:
    return period_rates(Y, X, PERSON, exposure=DAYS, variance=variance)


@pytest.mark.parametrize("variance", ["robust", "mancl_derouen"])
def test_rates_and_variances_are_those_of_geepack(variance: str) -> None:
    found = fitted(variance)
    assert found.coefficients == approx(R["coef"], rel=1e-8)
    assert np.sqrt(np.diag(found.covariance)) == approx(R[f"se_{variance}"], rel=1e-8)


def test_means_are_what_was_had_over_the_time_seen() -> None:
    both = np.vstack([np.hstack([np.eye(4), np.zeros((4, 4))]), np.hstack([np.eye(4), np.eye(4)])])
    found = fitted().means(both, np.arange(8), np.full(8, 182.0))
    by_hand = [
        182.0 * Y[here].sum() / DAYS[here].sum()
        for arm in (0, 1)
        for period in range(4)
        for here in [(arm == ARM) & (PERIODS[:, period] == 1)]
    ]
    assert found.mean == approx(by_hand)
    whole = found.with_totals([np.repeat([1.0, 0.0], 4), np.repeat([0.0, 1.0], 4)])
    assert whole.mean[8:] == approx([sum(by_hand[:4]), sum(by_hand[4:])])
    ratio = whole.ratio(9, 8)
    assert ratio.estimate == approx(sum(by_hand[4:]) / sum(by_hand[:4]))
    low, high = whole.limits()
    assert (low < whole.mean).all() and (whole.mean < high).all()
    difference = whole.difference(9, 8)
    assert difference.conf_low < difference.estimate < difference.conf_high
    assert difference.p_value == ratio.p_value


def test_without_exposure_it_is_the_estimating_equations_of_a_mean() -> None:
    ones = np.column_stack([np.ones(len(Y)), ARM])
    found = period_rates(Y, ones, PERSON, exposure=np.ones(len(Y)))
    other = estimating_equations(Y, ones, PERSON, model="poisson", correlation="independence")
    assert found.coefficients == approx(other.coefficients, abs=1e-9)
    assert found.covariance == approx(other.covariances["mancl_derouen"], rel=1e-7)


def test_the_unit_of_amount_moves_the_level_alone_and_order_nothing() -> None:
    order = np.random.default_rng(2).permutation(len(Y))
    found, weeks = (
        fitted(),
        period_rates(Y[order] / 7, X[order], [f"p{p}" for p in PERSON[order]], exposure=DAYS[order]),
    )
    assert weeks.coefficients == approx(found.coefficients - np.r_[np.full(4, np.log(7)), np.zeros(4)])
    assert weeks.covariance == approx(found.covariance)


def test_walds_test_of_one_line_is_the_square_of_its_t() -> None:
    found = fitted()
    line = np.eye(8)[4] - np.eye(8)[7]
    statistic, numerator, df, p_value = wald_f([line], found.coefficients, found.covariance, found.df)
    contrast = found.log_contrast(line)
    assert (numerator, df) == (1, found.df)
    assert [statistic, p_value] == approx([contrast.statistic**2, contrast.p_value])


def test_what_does_not_vary_has_no_standard_error() -> None:
    # Everybody had all there was in the first period.
    rng = np.random.default_rng(7)
    person, period = np.repeat(np.arange(30), 2), np.tile([0, 1], 30)
    levels = (period[:, None] == [0, 1]).astype(float)
    columns = np.hstack([levels, levels * (person % 2)[:, None]])
    days = np.where(period == 0, 182.0, rng.integers(1, 182, 60))
    found = period_rates(days, columns, person, exposure=np.full(60, 182.0))
    first = found.log_contrast([0, 0, 1, 0])
    assert first.estimate == approx(1.0) and first.std_error == 0.0 and np.isnan(first.p_value)
    means = found.means(np.eye(4)[:2] + np.eye(4)[2:], [0, 1], [182.0, 182.0])
    assert means.std_error[0] == 0.0 and means.std_error[1] > 0.0
    assert np.isfinite(means.difference(1, 0)[:2]).all()
    assert np.isnan(wald_f(np.eye(4)[2:], found.coefficients, found.covariance, found.df)[3])
    with pytest.raises(AnalysisError, match="All 60 amounts are what the rates say"):
        period_rates(np.full(60, 182.0), columns, person, exposure=np.full(60, 182.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: period_rates(-Y, X, PERSON, exposure=DAYS), "y is negative"),
        (lambda: period_rates(Y, X, PERSON, exposure=0 * DAYS), "not above 0 for .* of"),
        (lambda: period_rates(Y, X, PERSON, exposure=DAYS, variance="model"), "is not an option"),
        (
            lambda: period_rates(Y * (1 - ARM), X, PERSON, exposure=DAYS, names=tuple("abcdefgh")),
            "separated.*e, f, g, h",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        call()


@pytest.mark.slow
def test_a_known_truth_is_covered_although_most_have_none() -> None:
    rng, covered = np.random.default_rng(4), []
    person, arm = np.repeat(np.arange(150), 3), np.repeat(np.arange(150) % 2, 3)
    columns = np.column_stack([np.ones(450), arm])
    for _ in range(300):
        works = rng.random(150) < 0.35
        days = np.where(works[person], rng.gamma(1.5, 40.0, 450), 0.0) * np.exp(0.5 * arm)
        found = period_rates(days, columns, person, exposure=np.full(450, 182.0))
        ratio = found.log_contrast([0, 1], is_log=False)
        covered.append(ratio.conf_low < 0.5 < ratio.conf_high)
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
