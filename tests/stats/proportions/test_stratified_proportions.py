"""Stratified tables against R, metafor and tern, a second route, and symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pytest import approx
from scipy import optimize, stats

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.association import association_test, fisher_test
from ipseval.stats.proportions.stratified_proportions import (
    informative_strata,
    stratified_odds_ratio,
    stratified_risk_difference,
    stratified_risk_ratio,
)
from ipseval.stats.proportions.stratified_tests import (
    cochran_mantel_haenszel_test,
    exact_conditional_test,
    homogeneity_of_differences,
    homogeneity_of_odds_ratios,
)
from ipseval.stats.proportions.two_proportions import odds_ratio, risk_difference, risk_ratio
from tests.reference_cases import data, expected

ALPHA, BCG = expected("a2_strata_alpha"), expected("a3_strata_bcg")
BCG_DATA = data("a3_strata_bcg")
CASES = [
    pytest.param(
        [[stratum[count] for stratum in ALPHA["strata"]] for count in ("x1", "n1", "x0", "n0")],
        ALPHA["stratified"],
        id="alpha",
    ),
    pytest.param(
        [BCG_DATA[column].to_numpy() for column in ("ai", "n1i", "ci", "n2i")], BCG["stratified"], id="bcg"
    ),
]
DIFFERENCES = ("sato", "greenland_robins", "newcombe", "miettinen_nurminen", "inverse_variance")


@st.composite
def strata(draw: st.DrawFn, least: int = 1) -> np.ndarray:
    n = draw(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=least, max_size=5))
    return np.array([(draw(st.integers(0, a)), a, draw(st.integers(0, b)), b) for a, b in n]).T


def limits(estimate):
    return estimate.conf_low, estimate.conf_high


# --- other programs ----------------------------------------------------------------------------------
# R computes the same closed forms from the same counts: 1e-10 leaves room for summation order only.


def test_the_pooled_table_of_alpha_is_the_sum_of_its_strata_and_agrees_with_r():
    people = data("a2_strata_alpha")
    counts = people.groupby("arm")["employed18"].agg(["sum", "size"])
    (x0, n0), (x1, n1) = counts.to_numpy()
    r = ALPHA["overall"]
    assert [x1, n1, x0, n0] == [r["input"][key] for key in ("x1", "n1", "x0", "n0")]
    assert limits(risk_difference(x1, n1, x0, n0)) == approx(r["risk_difference"]["newcombe"], abs=1e-10)
    assert limits(risk_ratio(x1, n1, x0, n0)) == approx(r["risk_ratio"]["miettinen_nurminen"], rel=1e-10)
    assert limits(odds_ratio(x1, n1, x0, n0)) == approx(r["odds_ratio"]["miettinen_nurminen"], rel=1e-10)


@pytest.mark.parametrize("method", ["sato", "greenland_robins"])
@pytest.mark.parametrize(("counts", "r"), CASES)
def test_mantel_haenszel_difference_agrees_with_r(counts, r, method):
    got, r = stratified_risk_difference(*counts, method=method), r["mh_rd"]
    assert got[:2] == approx((r["estimate"], r[f"se_{method}"]), rel=1e-10)
    assert limits(got) == approx(r[f"ci_{method}"], rel=1e-10)


@pytest.mark.parametrize(("counts", "r"), CASES)
def test_inverse_variance_difference_agrees_with_r(counts, r):
    got, r = stratified_risk_difference(*counts, method="inverse_variance"), r["inverse_variance_rd"]
    assert got[:2] == approx((r["estimate"], r["se"]), rel=1e-10)
    assert homogeneity_of_differences(*counts).statistic == approx(r["Q"], rel=1e-10)


@pytest.mark.parametrize(("counts", "r"), CASES)
def test_mantel_haenszel_ratios_agree_with_r(counts, r):
    ratio, odds = stratified_risk_ratio(*counts), stratified_odds_ratio(*counts)
    assert ratio[:2] == approx((r["mh_rr"]["estimate"], r["mh_rr"]["log_se"]), rel=1e-10)
    assert limits(ratio) == approx(r["mh_rr"]["ci"], rel=1e-10)
    assert odds[:2] == approx((r["mh_or"]["estimate"], r["mh_or"]["log_se_rbg"]), rel=1e-10)
    assert limits(odds) == approx(r["mh_or"]["ci"], rel=1e-10)


@pytest.mark.parametrize(("counts", "r"), CASES)
def test_cochran_mantel_haenszel_agrees_with_r(counts, r):
    plain, corrected = (cochran_mantel_haenszel_test(*counts, corrected=c) for c in (False, True))
    assert (plain.statistic, corrected.statistic) == approx(
        (r["cmh"]["chi2"], r["cmh"]["chi2_cc"]), rel=1e-10
    )
    assert (plain.p_value, corrected.p_value) == approx((r["cmh"]["p"], r["cmh"]["p_cc"]), rel=1e-10)
    assert plain.df == 1


@pytest.mark.parametrize(("counts", "r"), CASES)
def test_exact_conditional_inference_agrees_with_r(counts, r):
    got, r = stratified_odds_ratio(*counts, method="conditional_exact"), r["cmh"]
    # Both solved to about 1e-14 on a distribution that each holds to about 1e-11.
    assert got.estimate == approx(r["exact_conditional_or"], rel=1e-9)
    assert limits(got) == approx(r["exact_ci"], rel=1e-9)
    assert exact_conditional_test(*counts) == approx(r["exact_p"], rel=1e-8)


@pytest.mark.parametrize(("counts", "r"), CASES)
def test_homogeneity_of_odds_ratios_agrees_with_r(counts, r):
    tarone = homogeneity_of_odds_ratios(*counts)
    plain = homogeneity_of_odds_ratios(*counts, method="breslow_day")
    r = r["breslow_day"]
    assert tarone.df == plain.df == r["df"]
    assert (plain.statistic, tarone.statistic) == approx((r["chi2"], r["tarone_chi2"]), rel=1e-10)
    assert (plain.p_value, tarone.p_value) == approx((r["p"], r["tarone_p"]), rel=1e-9)


def test_bcg_agrees_with_metafor():
    counts, r = CASES[1].values[0], BCG["metafor_rma_mh"]
    difference, ratio = stratified_risk_difference(*counts), stratified_risk_ratio(*counts)
    odds = stratified_odds_ratio(*counts)
    assert difference[:2] == approx((r["RD"]["estimate"], r["RD"]["se"]), rel=1e-10)
    assert (np.log(ratio.estimate), ratio.log_std_error) == approx(
        (r["RR"]["estimate"], r["RR"]["se"]), rel=1e-10
    )
    assert (np.log(odds.estimate), odds.log_std_error) == approx(
        (r["OR"]["estimate"], r["OR"]["se"]), rel=1e-10
    )
    assert cochran_mantel_haenszel_test(*counts).statistic == approx(r["OR"]["CMH"], rel=1e-10)
    assert homogeneity_of_odds_ratios(*counts).statistic == approx(r["OR"]["tarone"], rel=1e-10)


def test_stratified_newcombe_agrees_with_r_tern():
    # tern 0.8 to 0.9, tests/testthat/_snaps/prop_diff.md ("matches equivalent SAS function output"):
    # its data are sample() after set.seed(1) in R >= 3.6; these are their counts by stratum.
    counts = [8, 4, 2, 5, 6, 5], [9, 4, 5, 7, 7, 8], [3, 6, 2, 3, 3, 3], [6, 12, 5, 4, 8, 5]
    got = stratified_risk_difference(*counts, method="newcombe")
    assert got.estimate == approx(0.25390590, abs=6e-9)
    assert limits(got) == approx((0.03467969, 0.44544132), abs=6e-9)


# --- a second route ----------------------------------------------------------------------------------


def score_by_optimisation(d, counts, weigh):
    """Miettinen and Nurminen's stratified score, from numerically constrained rates."""
    x1, n1, x0, n0 = counts
    rate0 = np.array(
        [
            optimize.brentq(
                lambda p, a=a, b=b, c=c, e=e: a / (p + d) - (b - a) / (1 - p - d) + c / p - (e - c) / (1 - p),
                max(0, -d) + 1e-14,
                min(1, 1 - d) - 1e-14,
                xtol=1e-15,
            )
            for a, b, c, e in counts.T
        ]
    )
    rate1, n = rate0 + d, n1 + n0
    weight = weigh(rate1, rate0)
    variance = (rate1 * (1 - rate1) / n1 + rate0 * (1 - rate0) / n0) * n / (n - 1)
    return (weight * (x1 / n1 - x0 / n0 - d)).sum() / np.sqrt((weight**2 * variance).sum())


@pytest.mark.parametrize("case", [0, 1])
def test_miettinen_nurminen_limits_solve_the_weighted_score(case):
    counts = np.array(CASES[case].values[0], dtype=float)
    _, n1, _, n0 = counts

    def weigh(rate1, rate0):
        # The paper's own form, relative to the reference arm: {[R1(1-R1) / R0(1-R0)] / n1 + 1 / n0}^-1.
        weight = n1 * n0 / (n1 + n0)
        for _ in range(200):
            mean1, mean0 = np.average(rate1, weights=weight), np.average(rate0, weights=weight)
            weight = 1 / (mean1 * (1 - mean1) / (mean0 * (1 - mean0)) / n1 + 1 / n0)
        return weight

    got = stratified_risk_difference(*counts, method="miettinen_nurminen", conf_level=0.9)
    z = stats.norm.ppf(0.95)
    scores = [score_by_optimisation(d, counts, weigh) for d in (got.conf_low, got.estimate, got.conf_high)]
    assert scores == approx([z, 0, -z], abs=1e-8)  # brentq's root moves the score by about 1e-10


@given(strata(), st.sampled_from([0.5, 1.0]))
def test_exact_limits_solve_the_convolution_of_scipy_distributions(counts, share):
    method = "conditional_exact" if share == 1 else "mid_p"
    got = stratified_odds_ratio(*counts, method=method)
    for limit, observed_above in ((got.conf_low, True), (got.conf_high, False)):
        if not 1e-3 < limit < 1e3:  # SciPy's own distribution loses digits beyond
            continue
        pmf = np.ones(1)
        for x1, n1, x0, n0 in counts.T:
            k = np.arange(n1 + 1)
            pmf = np.convolve(pmf, stats.nchypergeom_fisher(n1 + n0, n1, x1 + x0, odds=limit).pmf(k))
        x = int(counts[0].sum())
        tail = pmf[x + 1 :].sum() if observed_above else pmf[:x].sum()
        assert tail + share * pmf[x] == approx(0.025, rel=1e-6)


# --- properties --------------------------------------------------------------------------------------


@given(strata())
def test_one_stratum_equals_the_table_without_strata(counts):
    table = counts[:, 0]
    one = table[:, None]
    for method in ("newcombe", "miettinen_nurminen"):
        got, plain = stratified_risk_difference(*one, method=method), risk_difference(*table, method=method)
        assert got.estimate == approx(plain.estimate, abs=1e-12)
        assert limits(got) == approx(limits(plain), abs=1e-9)
    plain = risk_difference(*table, method="wald")
    got = stratified_risk_difference(*one, method="greenland_robins")
    assert np.array(got) == approx(np.array(plain), abs=1e-12)
    for method in ("conditional_exact", "mid_p"):
        got, plain = stratified_odds_ratio(*one, method=method), odds_ratio(*table, method=method)
        assert np.array(got) == approx(np.array(plain), rel=1e-9, nan_ok=True)
    wald, log = odds_ratio(*table, method="wald"), risk_ratio(*table, method="log")
    assert np.array(stratified_odds_ratio(*one)) == approx(np.array(wald), rel=1e-9, nan_ok=True)
    # Katz and Greenland-Robins differ by the size of the rounding where an arm is full.
    assert np.array(stratified_risk_ratio(*one)) == approx(np.array(log), rel=1e-7, abs=1e-7, nan_ok=True)
    assert exact_conditional_test(*one) == approx(fisher_test(*table), rel=1e-9)
    cmh, chi_square = cochran_mantel_haenszel_test(*one), association_test(*table)
    assert np.array(cmh) == approx(np.array(chi_square), rel=1e-9, abs=1e-12, nan_ok=True)


CALLS = [
    *[pytest.param(stratified_risk_difference, {"method": m}, id=m) for m in DIFFERENCES],
    pytest.param(stratified_risk_ratio, {}, id="risk_ratio"),
    *[
        pytest.param(stratified_odds_ratio, {"method": m}, id=m)
        for m in ("mantel_haenszel", "conditional_exact", "mid_p")
    ],
    pytest.param(cochran_mantel_haenszel_test, {}, id="cmh"),
    pytest.param(cochran_mantel_haenszel_test, {"corrected": True}, id="cmh_corrected"),
    pytest.param(exact_conditional_test, {}, id="exact_test"),
    pytest.param(homogeneity_of_odds_ratios, {}, id="tarone"),
    pytest.param(homogeneity_of_differences, {}, id="q"),
]


@pytest.mark.parametrize(("function", "options"), CALLS)
@given(strata(least=2), st.randoms(use_true_random=False))
def test_relabelling_strata_changes_nothing(function, options, counts, random):
    order = list(range(counts.shape[1]))
    random.shuffle(order)
    got, again = function(*counts, **options), function(*counts[:, order], **options)
    assert np.array(again) == approx(np.array(got), rel=1e-8, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize(("function", "options"), CALLS)
@given(strata())
def test_a_stratum_with_an_empty_arm_changes_nothing(function, options, counts):
    with_empty = np.column_stack([counts, [2, 5, 0, 0], [0, 0, 0, 0]])
    got, again = function(*counts, **options), function(*with_empty, **options)
    assert np.array(again) == approx(np.array(got), rel=1e-8, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize("method", DIFFERENCES)
@given(strata())
def test_swapping_arms_flips_the_difference(method, counts):
    a = stratified_risk_difference(*counts, method=method)
    b = stratified_risk_difference(*counts[[2, 3, 0, 1]], method=method)
    flipped = (-b.estimate, b.std_error, -b.conf_high, -b.conf_low)
    assert flipped == approx(tuple(a), abs=1e-7, nan_ok=True)  # a root of the variance near 0


@pytest.mark.parametrize("function", [stratified_risk_ratio, stratified_odds_ratio])
@given(strata())
def test_swapping_arms_inverts_a_ratio(function, counts):
    a, b = function(*counts), function(*counts[[2, 3, 0, 1]])
    assume(np.isfinite(a.estimate) and a.estimate > 0)
    assert (1 / b.estimate, 1 / b.conf_high, 1 / b.conf_low) == approx(
        (a.estimate, *limits(a)), rel=1e-9, nan_ok=True
    )


@given(strata())
def test_limits_hold_the_estimate_within_minus_1_and_1(counts):
    for method in ("newcombe", "miettinen_nurminen"):
        d = stratified_risk_difference(*counts, method=method)
        assert -1 <= d.conf_low <= d.estimate + 1e-12
        assert d.estimate - 1e-12 <= d.conf_high <= 1


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_many_tables_equal_one_at_a_time(function, options):
    rng = np.random.default_rng(4)
    n = rng.integers(0, 25, (2, 8, 3))
    x = rng.binomial(n, rng.random((2, 8, 1)))
    x[:, 0], n[0, 1] = 0, 0  # a table without events, and strata without an active arm
    x = np.minimum(x, n)
    many = np.atleast_2d(function(x[0], n[0], x[1], n[1], **options))
    for i in range(8):
        one = np.atleast_1d(function(x[0, i], n[0, i], x[1, i], n[1, i], **options))
        assert one == approx(many[:, i], rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_no_tables_give_no_results(function, options):
    assert np.array(function(*np.empty((4, 0, 3)), **options)).size == 0


# --- edges and refusals ------------------------------------------------------------------------------


def test_no_events_at_all_leave_a_difference_and_no_ratio():
    counts = [0, 0], [20, 30], [0, 0], [25, 30]
    for method in ("newcombe", "miettinen_nurminen"):
        d = stratified_risk_difference(*counts, method=method)
        assert d.estimate == approx(0, abs=1e-12)
        assert d.conf_low < -0.01
        assert d.conf_high > 0.01
    assert np.isnan(stratified_risk_ratio(*counts)).all()
    assert np.isnan(stratified_odds_ratio(*counts)).all()
    exact = stratified_odds_ratio(*counts, method="conditional_exact")
    assert np.isnan(exact.estimate)
    assert limits(exact) == (0, np.inf)
    assert np.isnan(cochran_mantel_haenszel_test(*counts)).all()
    assert np.isnan(homogeneity_of_odds_ratios(*counts)).all()
    assert exact_conditional_test(*counts) == 1


def test_no_stratum_with_both_arms_is_missing():
    counts = [3, 0], [9, 0], [0, 2], [0, 8]
    for parameters in CALLS:
        function, options = parameters.values
        assert np.isnan(function(*counts, **options)).all()
    assert not informative_strata(*counts).any()


def test_a_stratum_without_variance_leaves_inverse_variance_missing():
    assert np.isnan(
        stratified_risk_difference([0, 5], [9, 9], [0, 2], [9, 9], method="inverse_variance")
    ).all()


def test_informative_strata_by_effect():
    counts = [3, 0, 2, 9], [9, 8, 5, 9], [1, 0, 0, 7], [9, 7, 0, 7]
    assert informative_strata(*counts).tolist() == [True, True, False, True]
    assert informative_strata(*counts, effect="ratio").tolist() == [True, False, False, True]
    assert informative_strata(*counts, effect="odds_ratio").tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stratified_risk_difference(1, 9, 1, 9), "1 table without strata"),
        (lambda: stratified_risk_difference([10], [9], [1], [9]), "x1 exceeds n1 in 1 of 1 tables"),
        (lambda: stratified_risk_difference([1], [9], [1], [9], method="mh"), "method='mh' is not an option"),
        (
            lambda: stratified_odds_ratio([1], [9], [1], [9], method="exact"),
            "method='exact' is not an option",
        ),
        (lambda: stratified_risk_ratio([1], [9], [1], [9], conf_level=95), "Write 95% as conf_level=0.95"),
        (lambda: homogeneity_of_odds_ratios([1], [9], [1], [9], method="bd"), "method='bd' is not an option"),
        (lambda: exact_conditional_test([1], [9], [1], [9], alternative="two"), "alternative='two'"),
        (lambda: informative_strata([1], [9], [1], [9], effect="hazard"), "effect='hazard'"),
        (lambda: cochran_mantel_haenszel_test([1], [9], [np.nan], [9]), "x0 is missing"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(AnalysisError, match=message):
        call()
