"""Adjusted rates: against R, and what must hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.estimate.proportions.rates import rates
from ipseval.results import Results
from ipseval.results.sentences import sentence
from ipseval.results.vocabulary import KEY
from ipseval.stats.regression.standardisation import NOT_POSITIVE, STRATA_TAKE_TOO_MUCH
from ipseval.trial import Trial, Variable
from tests import reference_cases
from tests.estimate.alpha import alpha
from tests.estimate.trials import relabelled, shuffled, with_reference
from tests.make_trial import job, make_trial, person

CASE = reference_cases.expected("d1_gcomp_alpha")
LEFT_OUT = reference_cases.expected("d5_gcomp_leave_one_out")
COVARIATES = ["age", "female", "prior_work_months", "symptoms0"]
BY_18 = endpoints.ever_employed(by=18)
NUMBERS = ["estimate", "std_error", "p_value", "conf_low", "conf_high"]


@cache
def trial() -> Trial:
    """Return trial alpha with the covariates of case d1."""
    given = reference_cases.data("d1_gcomp_alpha").set_index("id")
    people = alpha().participants
    columns = given.loc[people["participant_id"].tolist(), COVARIATES].reset_index(drop=True)
    with_covariates = people.assign(**{name: columns[name].astype("float64") for name in COVARIATES})
    return replace(
        alpha(),
        tables={**alpha().tables, "participants": with_covariates},
        covariates={name: Variable(name, "number") for name in COVARIATES},
    )


@cache
def adjusted(*names: str, strata: tuple[str, ...] = (), **how: object) -> Results:
    return rates(trial(), BY_18, adjust=names, strata=strata, **how)


@pytest.mark.parametrize(
    ("case", "names", "left_out"),
    [
        ("adjusted", tuple(COVARIATES), "adjusted"),
        ("adjusted_site_fixed_effects", ("prior_work_months", "site"), "site"),
    ],
)
@pytest.mark.parametrize("strata", [(), ("site",)])
def test_standardised_effects_are_those_of_cases_d1_and_d5(
    case: str, names: tuple[str, ...], left_out: str, strata: tuple[str, ...]
) -> None:
    # The cases suggest 1e-7: two programs' iterations to the same maximum.
    found, expected = adjusted(*names, strata=strata), CASE[case]
    variance = LEFT_OUT[left_out]["variance_within_strata" if strata else "variance"]["one_step"]
    for arm, p in (("IPS", "p1"), ("usual", "p0")):
        row = found.one(quantity="proportion", arm=arm, method="standardisation")
        assert [row.estimate, row.std_error] == pytest.approx([expected[p], variance[f"se_{p}"]], rel=1e-7)
    for quantity, key, spread in (
        ("risk_difference", "rd", "rd_se"),
        ("risk_ratio", "rr", "log_rr_se"),
        ("odds_ratio", "or", "log_or_se"),
    ):
        row = found.one(quantity=quantity, method="standardisation")
        assert [row.estimate, row.std_error, row.conf_low, row.conf_high] == pytest.approx(
            [expected[key], variance[spread], variance[f"{key}_lower"], variance[f"{key}_upper"]], rel=1e-7
        )


def test_modified_poisson_is_that_of_case_d1() -> None:
    expected = CASE["modified_poisson"]["rr"]
    row = adjusted("age", "female", "prior_work_months").one(method="modified_poisson")
    assert [row.estimate, row.conf_low, row.conf_high] == pytest.approx(
        [expected["estimate"], expected["lower_hc0"], expected["upper_hc0"]], rel=1e-7
    )


def test_the_bootstrap_is_near_that_of_case_d1() -> None:
    # Two sets of 2,000 draws: the case itself asks for 5%.
    row = adjusted(*COVARIATES).one(quantity="risk_difference", method="standardisation_bootstrap")
    expected = CASE["adjusted"]["bootstrap_stochastic"]
    assert row.std_error == pytest.approx(expected["rd_se"], rel=0.05)
    assert [row.conf_low, row.conf_high] == pytest.approx(expected["rd_percentile"], rel=0.05)


def test_randomisation_within_strata_takes_something_off_and_moves_nothing() -> None:
    loose, strict = adjusted("age"), adjusted("age", strata=("site",))
    for quantity in ("risk_difference", "risk_ratio", "odds_ratio"):
        one, other = (part.one(quantity=quantity, method="standardisation") for part in (loose, strict))
        assert one.estimate == other.estimate
        assert other.std_error < one.std_error


def test_the_sample_is_another_estimand_and_says_so() -> None:
    found = adjusted("age", estimand="sample")
    row = found.one(quantity="risk_difference", method="standardisation")
    population = adjusted("age").one(quantity="risk_difference", method="standardisation")
    assert row.setting == "missing=as_not_employed; adjust=age; estimand=sample"
    assert row.estimate == population.estimate
    assert row.std_error == pytest.approx(population.std_error, rel=0.01)
    assert row.std_error != population.std_error
    assert words.text("sentence.estimand") in sentence(row, found)
    assert "standardisation_bootstrap" not in set(found.frame["method"])


def test_main_rows_stay_the_unadjusted_ones() -> None:
    plain = rates(trial(), BY_18, strata=())
    assert adjusted("age").main.frame.equals(plain.main.frame)


def of_models(found: Results) -> Results:
    return replace(found, frame=found.frame.loc[found.frame["setting"].str.contains("adjust=")])


def test_relabelling_sites_and_the_order_of_people_change_nothing() -> None:
    ask = {"adjust": ["site", "age"], "strata": ["site"], "replicates": 100}
    key = list(KEY)
    first, *others = (
        of_models(rates(made, BY_18, **ask)).frame.set_index(key)[NUMBERS].sort_index()
        for made in (trial(), relabelled(trial()), shuffled(trial()))
    )
    drawn = first.index.get_level_values("method") == "standardisation_bootstrap"  # other people are drawn
    assert len(first[~drawn]) == 6
    for other in others:
        np.testing.assert_allclose(first[~drawn], other.loc[first.index][~drawn], rtol=1e-7)


def test_swapping_the_reference_turns_effects_round() -> None:
    ask = {"adjust": ["age"], "replicates": 100}
    ours, theirs = (rates(made, BY_18, **ask) for made in (trial(), with_reference(trial(), "IPS")))
    for quantity in ("risk_difference", "risk_ratio", "odds_ratio"):
        one, other = (part.one(quantity=quantity, method="standardisation") for part in (ours, theirs))
        turned = [other.estimate, other.conf_high, other.conf_low]
        turned = [-x for x in turned] if quantity == "risk_difference" else [1 / x for x in turned]
        assert [one.estimate, one.conf_low, one.conf_high] == pytest.approx(turned, rel=1e-7)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-7)


def test_strata_left_out_of_the_model_are_remarked_upon() -> None:
    for names, note in ((("age",), words.text("note.strata_left_out")), (("age", "site"), "")):
        row = adjusted(*names, strata=("site",)).one(quantity="risk_difference", method="standardisation")
        assert row.note == note


def separated() -> Trial:
    """Return a trial in which nobody of the reference arm found a job."""
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual", site="AB"[i // 2 % 2]) for i in range(60)]
    jobs = [job(f"P{i}", 9, 99) for i in range(1, 41, 2)]
    return make_trial(people, jobs=jobs, missing_outcomes="as_not_employed", strata=("site",))


def test_separated_data_fall_back_on_firth_and_say_so() -> None:
    found = rates(separated(), endpoints.ever_employed(by=30), adjust=["site"])
    row = found.one(quantity="risk_difference", method="standardisation")
    assert words.text("note.firth") in row.note
    assert row.estimate == pytest.approx(20 / 30, abs=0.02)
    assert row.conf_low < row.estimate < row.conf_high
    drawn = found.one(quantity="risk_difference", method="standardisation_bootstrap")
    assert (drawn.status, drawn.note) == ("failed", words.text("note.no_bootstrap_separated"))
    poisson = found.one(method="modified_poisson")
    assert poisson.status == "failed"
    assert "counted from 0" not in poisson.note
    assert "covariate 0" not in poisson.note


def test_remarks_on_the_variance_are_in_the_catalogue() -> None:
    for note, key in (
        (NOT_POSITIVE, "variance_not_positive"),
        (STRATA_TAKE_TOO_MUCH, "strata_take_too_much"),
    ):
        assert note == words.text(f"note.{key}")


def test_three_arms_are_adjusted_two_at_a_time() -> None:
    made = separated()
    arms = ("usual", "IPS", "IPS-lite")
    column = made.participants["arm"].astype(str).to_numpy().astype(object)
    column[::3] = "IPS-lite"
    people = made.participants.assign(arm=column)
    people["arm"] = people["arm"].astype("category").cat.set_categories(list(arms), ordered=True)
    three = replace(
        made, design=replace(made.design, arms=arms), tables={**made.tables, "participants": people}
    )
    frame = of_models(rates(three, endpoints.ever_employed(by=30), adjust=["site"], replicates=100)).frame
    standardised = frame.loc[frame["method"] == "standardisation"]
    assert set(standardised.loc[standardised["arm"] == "usual", "term"]) == {
        "IPS - usual",
        "IPS-lite - usual",
    }
    assert set(standardised["contrast"]) == {"", "IPS - usual", "IPS-lite - usual"}


def test_a_model_that_cannot_be_fitted_says_why_by_name() -> None:
    twice = trial().participants.assign(female=lambda people: 2.0 * people["age"])
    made = replace(trial(), tables={**trial().tables, "participants": twice})
    rows = of_models(rates(made, BY_18, adjust=["age", "female"])).frame
    assert set(rows["status"]) == {"failed"}
    assert rows["note"].str.startswith("Collinear: female (1 of 4 columns)").all()


def test_covariates_that_are_missing_the_same_or_unknown_are_refused() -> None:
    people = trial().participants
    changed = {
        "'age' is missing for 4 of 151 participants": people.assign(
            age=people["age"].where(people.index > 3)
        ),
        "age is the same for all 151 participants": people.assign(age=40.0),
    }
    for message, table in changed.items():
        made = replace(trial(), tables={**trial().tables, "participants": table})
        with pytest.raises(AnalysisError, match=message):
            rates(made, BY_18, adjust=["age"])
    with pytest.raises(AnalysisError, match="'weight' cannot be adjusted for"):
        rates(trial(), BY_18, adjust=["weight"])
    with pytest.raises(AnalysisError, match="estimand='everyone' is not an option"):
        rates(trial(), BY_18, adjust=["age"], estimand="everyone")
    with pytest.raises(AnalysisError, match="replicates=10 is not a whole number"):
        rates(trial(), BY_18, adjust=["age"], replicates=10)


def test_adjusted_rows_are_hidden_with_the_arms_they_are_about() -> None:
    people = [person(f"P{i}", arm="IPS" if i % 2 else "usual", site="AB"[i // 2 % 2]) for i in range(60)]
    jobs = [job(f"P{i}", 9, 99) for i in range(1, 41, 2)] + [job(f"P{i}", 9, 99) for i in (0, 2, 8)]
    made = make_trial(people, jobs=jobs, missing_outcomes="as_not_employed", strata=("site",))
    found = rates(made, endpoints.ever_employed(by=30), adjust=["site"], replicates=100)
    public = of_models(protect(found)).frame
    contrasts = public.loc[public["contrast"] != ""]
    assert set(contrasts["status"]) == {"suppressed"}  # three people in the usual arm had a job
    assert public.loc[public["arm"] == "usual", "estimate"].isna().all()
    assert not public["note"].str.contains(r"\d").any()


def test_the_record_holds_what_was_asked_and_the_seed() -> None:
    found = adjusted("age", seed=7)
    asked = found.records["rates"]["arguments"]
    assert (asked["adjust"], asked["estimand"], asked["seed"]) == (["age"], "population", 7)
    assert found.provenance["seeds"] == {"rates": 7}
    assert "seeds" not in rates(trial(), BY_18).provenance
