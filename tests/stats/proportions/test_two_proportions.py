"""Difference, ratio, odds ratio and tests of two proportions against R, publications and symmetry."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx
from scipy import optimize, stats

from ipseval.errors import AnalysisError
from ipseval.stats.proportions.association import association_test, fisher_test
from ipseval.stats.proportions.two_proportions import (
    number_needed_to_treat,
    odds_ratio,
    risk_difference,
    risk_ratio,
)
from tests.reference_cases import expected

DIFFERENCES = ("newcombe", "newcombe_cc", "miettinen_nurminen", "mee", "agresti_caffo", "wald")
RATIOS = {"koopman": "koopman", "miettinen_nurminen": "miettinen_nurminen", "log": "log_normal"}
ODDS_RATIOS = {
    "miettinen_nurminen": "miettinen_nurminen",
    "cornfield": "cornfield_score",
    "wald": "wald",
    "haldane": "haldane_wald",
    "conditional_exact": "conditional_exact",
}
ODDS_RATIO_METHODS = (*ODDS_RATIOS, "mid_p")
TESTS = {
    "chi_square": "chi2",
    "yates": "chi2_yates",
    "n_minus_1_chi_square": "chi2_n_minus_1",
    "likelihood_ratio": "lr_g2",
}
CASE = expected("a1_two_by_two_tables")
TABLES = [
    pytest.param(
        [table["input"][count] for count in ("x1", "n1", "x0", "n0")], level, table, id=f"{name}-{level}"
    )
    for key, level in (("level95", 0.95), ("level90", 0.90))
    for name, table in CASE[key].items()
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n1, n0 = draw(st.integers(1, 120)), draw(st.integers(1, 120))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n0)), n0


def swapped(table):
    return table[2], table[3], table[0], table[1]


def limits(estimate):
    return estimate.conf_low, estimate.conf_high


# --- published ---------------------------------------------------------------------------------------


# Newcombe (1998), Statistics in Medicine 17:873-890, Table II, to the four digits printed.
@pytest.mark.parametrize(
    ("method", "a", "b", "d"),
    [
        ("mee", (0.0533, 0.3377), (0.1821, 0.8370), (-0.0313, 0.1926)),
        ("miettinen_nurminen", (0.0528, 0.3382), (0.1700, 0.8406), (-0.0326, 0.1933)),
        ("newcombe", (0.0524, 0.3339), (0.1705, 0.8090), (-0.0381, 0.1926)),
        ("newcombe_cc", (0.0428, 0.3422), (0.1013, 0.8387), (-0.0667, 0.2037)),
    ],
)
def test_newcombe_1998_table_ii_cases_a_b_d(method, a, b, d):
    got = risk_difference([56, 9, 5], [70, 10, 56], [48, 3, 0], [80, 10, 29], method=method)
    assert np.transpose(limits(got)) == approx(np.array([a, b, d]), abs=5.1e-5)


# --- R -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", DIFFERENCES)
@pytest.mark.parametrize(("counts", "level", "table"), TABLES)
def test_differences_agree_with_r(counts, level, table, method):
    got, r = risk_difference(*counts, method=method, conf_level=level), table["risk_difference"]
    # Closed forms: only rounding differs.
    assert (got.estimate, got.std_error) == approx((r["estimate"], r["se_unpooled"]), abs=1e-10)
    # Two root finders, each to about 1e-14.
    assert limits(got) == approx(r[method], abs=1e-12)


@pytest.mark.parametrize("method", RATIOS)
@pytest.mark.parametrize(("counts", "level", "table"), TABLES)
def test_risk_ratios_agree_with_r(counts, level, table, method):
    got, r = risk_ratio(*counts, method=method, conf_level=level), table["risk_ratio"]
    assert_ratio_agrees(got, r["estimate"], r["log_se"], r[RATIOS[method]])


@pytest.mark.parametrize("method", ODDS_RATIOS)
@pytest.mark.parametrize(("counts", "level", "table"), TABLES)
def test_odds_ratios_agree_with_r(counts, level, table, method):
    got, r = odds_ratio(*counts, method=method, conf_level=level), table["odds_ratio"]
    estimate = {"haldane": "haldane_estimate", "conditional_exact": "conditional_mle"}.get(method, "estimate")
    x1, n1, x0, n0 = counts
    haldane_se = np.sqrt(sum(1 / (cell + 0.5) for cell in (x1, n1 - x1, x0, n0 - x0)))
    log_se = haldane_se if method == "haldane" else r["log_se"]
    assert_ratio_agrees(got, r[estimate], log_se, r[ODDS_RATIOS[method]])


def assert_ratio_agrees(got, estimate, log_se, interval):
    """Agree to 1e-11 relative (log-scale roots to 1e-14, times the size of the log); an undefined
    normal interval is missing as a whole, where R's formula leaves one limit infinite."""
    assert got.estimate == approx(estimate, rel=1e-11, nan_ok=True)
    assert got.log_std_error == approx(log_se if np.isfinite(log_se) else np.nan, rel=1e-11, nan_ok=True)
    interval = [np.nan, np.nan] if np.isnan(interval).any() else interval
    assert limits(got) == approx(interval, rel=1e-11, nan_ok=True)


@pytest.mark.parametrize("method", TESTS)
@pytest.mark.parametrize(("counts", "level", "table"), TABLES[: len(TABLES) // 2])
def test_chi_squares_agree_with_r(counts, level, table, method):
    got, r = association_test(*counts, method=method), table["tests"]
    # p-values that span eight powers of ten: relative, beyond the printed 15 digits of the input.
    assert got.statistic == approx(r[TESTS[method]], rel=1e-10, abs=1e-12, nan_ok=True)
    assert got.p_value == approx(r[f"{TESTS[method]}_p"], rel=1e-10, nan_ok=True)


@pytest.mark.parametrize(("counts", "level", "table"), TABLES[: len(TABLES) // 2])
def test_wald_test_agrees_with_r_where_there_is_variance(counts, level, table):
    got, r = association_test(*counts, method="wald"), table["tests"]
    defined = np.isfinite(r["z_unpooled"])
    assert got.statistic == approx(r["z_unpooled"] ** 2 if defined else np.nan, rel=1e-10, nan_ok=True)
    assert got.p_value == approx(r["z_unpooled_p"] if defined else np.nan, rel=1e-10, nan_ok=True)


@pytest.mark.parametrize(("counts", "level", "table"), TABLES[: len(TABLES) // 2])
def test_fisher_agrees_with_r(counts, level, table):
    r = table["tests"]
    got = [fisher_test(*counts, alternative=side) for side in ("two_sided", "greater", "less")]
    got.append(fisher_test(*counts, mid_p=True))
    # R's dhyper and our neighbour ratios each keep about 12 digits.
    assert got == approx([r[f"fisher_{key}"] for key in ("p", "greater_p", "less_p", "midp")], rel=1e-10)


@pytest.mark.parametrize(("counts", "level", "table"), TABLES)
@pytest.mark.parametrize("method", ["newcombe", "wald", "miettinen_nurminen"])
def test_number_needed_to_treat_agrees_with_r(counts, level, table, method):
    d = risk_difference(*counts, method=method, conf_level=level)
    got, r = number_needed_to_treat(d.conf_low, d.estimate, d.conf_high), table["nnt"][f"from_{method}"]
    assert got.through_infinity == r["rd_ci_contains_0"]
    assert got.estimate == approx(r["nnt"], rel=1e-10)
    if got.through_infinity:
        assert got.conf_low == approx(r["nntb_limit"], rel=1e-10)
        # A limit of exactly 0 has an infinite reciprocal, whose sign means nothing.
        assert abs(got.conf_high) == approx(abs(r["nnth_limit"]), rel=1e-10)
    else:
        assert (got.conf_low, got.conf_high) == approx((r["lower"], r["upper"]), rel=1e-10)


def test_exact_limit_of_a_large_odds_ratio_where_r_fails():
    # fisher.test in R gives 4.5e15 here; checked below against the noncentral hypergeometric itself.
    low, high = limits(odds_ratio(95, 96, 2, 97, method="conditional_exact"))
    distribution = stats.nchypergeom_fisher(193, 96, 97, odds=high)
    assert high == approx(1.8e5, rel=0.01)
    assert distribution.cdf(95) == approx(0.025, rel=1e-6)
    assert stats.nchypergeom_fisher(193, 96, 97, odds=low).sf(94) == approx(0.025, rel=1e-6)


# --- a second route ----------------------------------------------------------------------------------


@given(tables())
def test_score_limits_of_a_difference_solve_the_numerically_constrained_likelihood(table):
    x1, n1, x0, n0 = table
    got = risk_difference(*table, method="mee")
    for limit, sign in ((got.conf_low, 1), (got.conf_high, -1)):
        if abs(limit) > 0.999:
            continue
        floor, ceiling = max(0.0, -limit), min(1.0, 1.0 - limit)

        def minus_log_likelihood(p0, limit=limit):
            return -(stats.binom.logpmf(x1, n1, p0 + limit) + stats.binom.logpmf(x0, n0, p0))

        best = optimize.minimize_scalar(
            minus_log_likelihood, bounds=(floor, ceiling), method="bounded", options={"xatol": 1e-10}
        ).x
        variance = (best + limit) * (1 - best - limit) / n1 + best * (1 - best) / n0
        z = (x1 / n1 - x0 / n0 - limit) / np.sqrt(variance)
        # A bounded search stops 1e-6 short of a boundary optimum, and z moves with its root.
        assert z == approx(sign * 1.959963984540054, abs=5e-3)


@given(tables(), st.sampled_from(["conditional_exact", "mid_p"]))
def test_exact_limits_leave_half_of_alpha_in_each_tail(table, method):
    x1, n1, x0, n0 = table
    got = odds_ratio(*table, method=method)
    share = 1.0 if method == "conditional_exact" else 0.5
    for limit, tail in ((got.conf_low, "sf"), (got.conf_high, "cdf")):
        if 1e-4 < limit < 1e4:  # SciPy's own distribution loses digits beyond
            d = stats.nchypergeom_fisher(n1 + n0, n1, x1 + x0, odds=limit)
            assert getattr(d, tail)(x1) + (share - (tail == "cdf")) * d.pmf(x1) == approx(0.025, rel=1e-6)


@given(tables())
def test_fisher_agrees_with_scipy(table):
    x1, n1, x0, n0 = table
    p = stats.fisher_exact([[x1, n1 - x1], [x0, n0 - x0]]).pvalue
    assert fisher_test(*table) == approx(p, rel=1e-9)


# --- properties --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", DIFFERENCES)
@given(tables())
def test_swapping_arms_flips_the_difference(method, table):
    a, b = risk_difference(*table, method=method), risk_difference(*swapped(table), method=method)
    assert (-b.estimate, -b.conf_high, -b.conf_low) == approx((a.estimate, *limits(a)), abs=1e-11)


@pytest.mark.parametrize("method", RATIOS)
@given(tables())
def test_swapping_arms_inverts_the_risk_ratio(method, table):
    assert_inverse(risk_ratio(*table, method=method), risk_ratio(*swapped(table), method=method))


@pytest.mark.parametrize("method", ODDS_RATIO_METHODS)
@given(tables())
def test_swapping_arms_or_outcomes_inverts_the_odds_ratio(method, table):
    x1, n1, x0, n0 = table
    got = odds_ratio(*table, method=method)
    assert_inverse(got, odds_ratio(*swapped(table), method=method))
    assert_inverse(got, odds_ratio(n1 - x1, n1, n0 - x0, n0, method=method))


def assert_inverse(a, b):
    with np.errstate(divide="ignore"):
        inverted = np.divide(1.0, [b.estimate, b.conf_high, b.conf_low])
    assert inverted == approx((a.estimate, *limits(a)), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("method", ["newcombe", "newcombe_cc", "miettinen_nurminen", "mee"])
@given(tables(), st.floats(0.5, 0.999))
def test_limits_of_a_difference_hold_the_estimate_within_minus_1_and_1(method, table, level):
    d = risk_difference(*table, method=method, conf_level=level)
    assert -1 <= d.conf_low <= d.estimate + 1e-12
    assert d.estimate - 1e-12 <= d.conf_high <= 1


@given(tables(), st.floats(0.5, 0.999))
def test_limits_of_ratios_hold_the_estimate(table, level):
    results = [risk_ratio(*table, method=method, conf_level=level) for method in RATIOS]
    results += [odds_ratio(*table, method=m, conf_level=level) for m in ODDS_RATIO_METHODS if m != "mid_p"]
    for got in results:
        if not np.isnan([got.estimate, got.conf_low]).any():
            assert got.conf_low <= got.estimate * (1 + 1e-9)
            assert got.estimate <= got.conf_high * (1 + 1e-9)


@given(tables())
def test_score_limits_exclude_no_effect_exactly_when_the_test_rejects(table):
    test = association_test(*table)
    if np.isnan(test.p_value) or abs(test.p_value - 0.05) < 1e-6:
        return
    rejects = test.p_value < 0.05
    for function, none in ((risk_difference, 0.0), (risk_ratio, 1.0), (odds_ratio, 1.0)):
        low, high = limits(function(*table, method="miettinen_nurminen"))
        assert (low > none or high < none) == rejects


CALLS = [
    *[pytest.param(risk_difference, {"method": m}, id=f"difference-{m}") for m in DIFFERENCES],
    *[pytest.param(risk_ratio, {"method": m}, id=f"ratio-{m}") for m in RATIOS],
    *[pytest.param(odds_ratio, {"method": m}, id=f"odds_ratio-{m}") for m in ODDS_RATIO_METHODS],
    *[pytest.param(association_test, {"method": m}, id=f"test-{m}") for m in (*TESTS, "wald")],
    *[pytest.param(fisher_test, {"mid_p": m}, id=f"fisher-{m}") for m in (False, True)],
]


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_many_tables_equal_one_at_a_time(function, options):
    x1, n1 = np.array([0, 5, 31, 70, 3, 40])[:, None], np.array([9, 5, 70, 70, 9, 90])[:, None]
    x0, n0 = np.array([0, 20, 81, 11]), 81
    many = np.array(function(x1, n1, x0, n0, **options)).reshape(-1, 6, 4)
    for i, j in np.ndindex(6, 4):
        one = np.atleast_1d(function(x1[i, 0], n1[i, 0], x0[j], n0, **options))
        assert one == approx(many[:, i, j], rel=1e-10, abs=1e-13, nan_ok=True)


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_an_empty_arm_is_missing(function, options):
    empty, other = np.array(function([0, 3], [0, 9], [2, 2], [8, 8], **options)).reshape(-1, 2).T
    assert np.isnan(empty).all()
    assert np.isfinite(other).all()


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_no_tables_give_no_results(function, options):
    assert np.array(function([], [], [], [], **options)).size == 0


@pytest.mark.parametrize(("function", "options"), CALLS)
def test_ten_thousand_tables_take_about_a_second(function, options):
    rng = np.random.default_rng(1)
    n = rng.integers(20, 150, (2, 10_000))
    x = rng.binomial(n, rng.random((2, 10_000)))
    start = time.perf_counter()
    function(x[0], n[0], x[1], n[1], **options)
    # Measured below 0.6 s for the slowest; the room is for a busy machine.
    assert time.perf_counter() - start < 5


# --- a known truth: coverage by enumeration of every pair of counts ------------------------------------


@pytest.mark.parametrize(("p1", "p0"), [(0.44, 0.25), (0.10, 0.05), (0.50, 0.50)])
@pytest.mark.parametrize(
    ("function", "method", "least", "most"),
    [
        (risk_difference, "newcombe", 0.94, 0.98),
        (risk_difference, "miettinen_nurminen", 0.94, 0.97),
        (risk_ratio, "miettinen_nurminen", 0.94, 0.98),
        (odds_ratio, "miettinen_nurminen", 0.94, 0.98),
        (odds_ratio, "conditional_exact", 0.95, 1.00),
        (odds_ratio, "mid_p", 0.94, 0.99),
    ],
)
def test_coverage_of_ninety_five_per_cent_limits(function, method, least, most, p1, p0):
    n1, n0 = 70, 80
    x1, x0 = np.arange(n1 + 1)[:, None], np.arange(n0 + 1)
    truth = {
        risk_difference: p1 - p0,
        risk_ratio: p1 / p0,
        odds_ratio: p1 / (1 - p1) / (p0 / (1 - p0)),
    }[function]
    low, high = limits(function(x1, n1, x0, n0, method=method))
    probability = stats.binom.pmf(x1, n1, p1) * stats.binom.pmf(x0, n0, p0)
    assert least <= probability[(low <= truth) & (truth <= high)].sum() <= most


# --- the number needed to treat, and refusals --------------------------------------------------------


def test_number_needed_is_signed_and_passes_through_infinity():
    got = number_needed_to_treat([0.1, -0.05, -0.4, 0.0], [0.2, 0.1, -0.2, 0.1], [0.25, 0.25, -0.1, 0.2])
    assert got.through_infinity.tolist() == [False, True, False, True]
    assert got.estimate == approx([5, 10, -5, 10])
    assert got.conf_low == approx([4, 4, -10, 5])
    assert got.conf_high == approx([10, -20, -2.5, np.inf])


def test_number_needed_keeps_missing_missing():
    assert np.isnan(number_needed_to_treat(np.nan, np.nan, np.nan)[:3]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk_difference(5, 3, 1, 9), "x1 exceeds n1 in 1 of 1 tables"),
        (lambda: risk_ratio(1, 9, [1, 12], 9), "x0 exceeds n0 in 1 of 2 tables"),
        (lambda: odds_ratio(1, 9, [1, 2], [9, 9, 9]), "x0 .* and n0 .* do not match in shape"),
        (lambda: odds_ratio([1, 2, 3], 9, [1, 2], 9), "Pass one count per table to each arm"),
        (lambda: risk_difference(1, 9, np.nan, 9), "x0 is missing"),
        (lambda: risk_difference(1, 9, 1, 9, method="score"), "method='score' is not an option"),
        (lambda: risk_ratio(1, 9, 1, 9, method="katz"), "method='katz' is not an option"),
        (lambda: odds_ratio(1, 9, 1, 9, method="exact"), "method='exact' is not an option"),
        (lambda: association_test(1, 9, 1, 9, method="pearson"), "method='pearson' is not an option"),
        (lambda: fisher_test(1, 9, 1, 9, alternative="two-sided"), "alternative='two-sided'"),
        (lambda: risk_difference(1, 9, 1, 9, conf_level=95), "Write 95% as conf_level=0.95"),
        (lambda: number_needed_to_treat(0.2, 0.1, 0.3), "1 of 1 differences lie outside their limits"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(AnalysisError, match=message):
        call()
