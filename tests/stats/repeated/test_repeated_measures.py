import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipseval.errors import AnalysisError
from ipseval.stats.repeated.covariance_structures import STRUCTURES, structure
from ipseval.stats.repeated.repeated_measures import repeated_measures
from tests.reference_cases import data, expected

MONTHS = (6, 12, 18, 24, 30)


def rows(outcome, arm=None):
    """Return outcome, design, person and month of the visits at which the outcome was recorded."""
    found = data("c5_lmm_mmrm_alpha")
    found = found[found[outcome].notna() & (True if arm is None else found["arm"] == arm)]
    in_arm, month = found["arm"].to_numpy(float), found["month"].to_numpy()
    months = np.column_stack([month == later for later in MONTHS[1:]]).astype(float)
    one, baseline = np.ones(len(found)), found["qol0"].to_numpy()
    if arm is not None:
        return found[outcome].to_numpy(), np.column_stack([one, months, baseline]), found["id"], month
    design = np.column_stack([one, in_arm, months, baseline, months * in_arm[:, None]])
    return found[outcome].to_numpy(), design, found["id"].to_numpy(), month


def simulated(seed=1, n=60, visits=4):
    rng = np.random.default_rng(seed)
    person, visit = np.divmod(np.arange(n * visits), visits)
    arm = (person % 2).astype(float)
    y = 3.0 + 0.5 * arm + 0.2 * visit + rng.normal(size=n)[person] + rng.normal(size=n * visits)
    kept = rng.random(len(y)) < 0.85
    return y[kept], np.column_stack([np.ones(len(y)), arm, visit])[kept], person[kept], visit[kept]


# ---- another program


@pytest.mark.parametrize("outcome", ["qol", "hours_week"])
def test_unstructured_is_that_of_r(outcome):
    case = expected("c5_lmm_mmrm_alpha")[outcome]
    theirs = case["mmrm_us_reml"]
    fit = repeated_measures(*rows(outcome))
    assert fit.converged
    # The other fit stopped at a gradient of 1e-4 (qol).
    assert fit.log_likelihood == pytest.approx(theirs["loglik_reml"], abs=1e-7)
    assert fit.log_likelihood == pytest.approx(case["gls_mmrm"]["loglik_reml"], abs=1e-6)
    np.testing.assert_allclose(fit.covariances[0], theirs["covariance"], rtol=1e-5)
    for weights, one in zip(np.eye(len(fit.coefficients)), theirs["fixed"].values(), strict=True):
        found = fit.inference.contrast(weights, df="satterthwaite")
        assert found.estimate == pytest.approx(one["estimate"], rel=2e-6)
        assert found.std_error == pytest.approx(one["se"], rel=1e-6)
        assert found.df == pytest.approx(one["df"], rel=1e-5)
        assert found.p_value == pytest.approx(one["p"], abs=1e-6)
        assert (found.conf_low, found.conf_high) == pytest.approx((one["lower"], one["upper"]), rel=1e-5)


def test_differences_per_visit_are_those_of_r():
    theirs = expected("c5_lmm_mmrm_alpha")["qol"]["mmrm_us_reml"]["contrasts"]
    fit = repeated_measures(*rows("qol"))
    for number, month in enumerate(MONTHS):
        weights = np.zeros(11)
        weights[1] = 1.0
        if number:
            weights[6 + number] = 1.0
        found, one = fit.inference.contrast(weights, df="satterthwaite"), theirs[f"difference_month_{month}"]
        assert (found.estimate, found.std_error, found.df) == pytest.approx(
            (one["estimate"], one["se"], one["df"]), rel=1e-5
        )


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name != "unstructured"])
def test_the_other_structures_are_those_of_nlme(name):
    theirs = expected("c8_covariance_structures")[name]
    fit = repeated_measures(*rows("qol"), covariance=name)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(theirs["loglik_reml"], abs=1e-7)
    # nlme orders the terms arm, months, baseline, arm x months as here
    np.testing.assert_allclose(fit.coefficients, list(theirs["coef"].values()), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fit.std_error, list(theirs["se"].values()), rtol=1e-5)
    covariance = fit.covariances[0]
    sd = np.sqrt(np.diag(covariance))
    assert covariance[0, 1] / (sd[0] * sd[1]) == pytest.approx(theirs["correlation"], abs=1e-4)
    np.testing.assert_allclose(sd, theirs["sd"] or [theirs["common_sd"]] * 5, rtol=1e-5)


def test_a_covariance_per_arm_is_a_fit_per_arm():
    theirs = expected("c8_covariance_structures")
    y, _, person, month = rows("qol")
    found = data("c5_lmm_mmrm_alpha").dropna(subset=["qol"])
    arm = found["arm"].to_numpy()
    of_arms = [rows("qol", arm=number)[1] for number in (0, 1)]
    design = np.zeros((len(y), 12))
    design[arm == 0, :6], design[arm == 1, 6:] = of_arms
    fit = repeated_measures(y, design, person, month, covariance="ar1", group=arm)
    total = theirs["ar1_arm_0"]["loglik_reml"] + theirs["ar1_arm_1"]["loglik_reml"]
    assert fit.log_likelihood == pytest.approx(total, abs=1e-7)
    per_arm = [*theirs["ar1_arm_0"]["se"].values(), *theirs["ar1_arm_1"]["se"].values()]
    np.testing.assert_allclose(fit.std_error, per_arm, rtol=1e-5)


# ---- properties


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from(STRUCTURES))
def test_the_order_of_rows_and_the_unit_of_the_outcome_do_not_matter(seed, name):
    y, design, person, visit = simulated(seed % 7)
    order = np.random.default_rng(seed).permutation(len(y))
    first = repeated_measures(y, design, person, visit, covariance=name)
    other = repeated_measures(
        100.0 * y[order], design[order], person[order].astype(str), visit[order] + 5, covariance=name
    )
    np.testing.assert_allclose(other.coefficients, 100.0 * first.coefficients, rtol=1e-5)
    weights = [0.0, 1.0, 0.0]
    for df in ("satterthwaite", "kenward_roger"):
        mine, theirs = (fit.inference.contrast(weights, df=df) for fit in (first, other))
        assert (theirs.df, theirs.p_value) == pytest.approx((mine.df, mine.p_value), rel=1e-4)


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_of_a_structure_are_those_by_differences(name):
    form = structure(name, 4)
    free = form.start(np.array([1.0, 1.3, 0.8, 1.1])) + 0.1 * np.arange(form.size)
    theta, jacobian = form.natural(free)
    step = 1e-6
    for k in range(form.size):
        shift = step * (np.arange(form.size) == k)
        np.testing.assert_allclose(
            (form.natural(free + shift)[0] - form.natural(free - shift)[0]) / (2 * step),
            jacobian[:, k],
            atol=1e-8,
        )
        high, low, here = (form.matrices(theta + by) for by in (shift, -shift, 0.0))
        np.testing.assert_allclose((high.value - low.value) / (2 * step), here.first[k], atol=1e-8)
        second = np.zeros_like(here.first) if here.second is None else here.second[k]
        np.testing.assert_allclose((high.first - low.first) / (2 * step), second, atol=1e-8)


def test_one_visit_is_ordinary_regression():
    y, design, person, visit = simulated()
    first = visit == 0
    fit = repeated_measures(y[first], design[first, :2], person[first], visit[first])
    degrees = first.sum() - 2
    found = fit.inference.contrast([0.0, 1.0])
    residual = y[first] - design[first, :2] @ np.linalg.lstsq(design[first, :2], y[first], rcond=None)[0]
    assert fit.covariances[0][0, 0] == pytest.approx(residual @ residual / degrees, rel=1e-6)
    assert found.df == pytest.approx(degrees, rel=1e-6)


# ---- refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda y, x, p, v: (np.where(np.arange(len(y)) < 3, np.nan, y), x, p, v), "missing"),
        (
            lambda y, x, p, v: (y, np.column_stack([x, x[:, 1]]), p, v),
            "1 of 4 columns of X follow from others",
        ),
        (lambda y, x, p, v: (y, x, p, np.zeros(len(y))), "rows repeat a visit of the same person"),
        (
            lambda y, x, p, v: (y, x, p, np.where(p < 30, v, v + 10)),
            "Fewer than two people were seen at both",
        ),
        (lambda y, x, p, v: (y[:3], x[:3], p[:3], v[:3]), "cannot bear 3 coefficients"),
    ],
)
def test_what_cannot_be_fitted_is_said(change, said):
    with pytest.raises(AnalysisError, match=said):
        repeated_measures(*change(*simulated()))


def test_a_person_belongs_to_one_group():
    y, design, person, visit = simulated()
    with pytest.raises(AnalysisError, match="people are in more than one group"):
        repeated_measures(y, design, person, visit, group=visit)


def test_contrasts_say_what_does_not_fit():
    fit = repeated_measures(*simulated())
    with pytest.raises(AnalysisError, match="2 numbers for 3 coefficients"):
        fit.inference.contrast([0.0, 1.0])
    with pytest.raises(AnalysisError, match="depend on each other"):
        fit.inference.test([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]])
