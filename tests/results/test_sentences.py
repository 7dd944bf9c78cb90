"""Every row says itself, in four languages, with its numbers as a reader of the language expects them."""

from __future__ import annotations

import pytest

from ipseval import endpoints, words
from ipseval.disclosure import protect
from ipseval.estimate.amounts.amounts import METHODS as AMOUNT_METHODS
from ipseval.estimate.amounts.amounts import amounts
from ipseval.estimate.describe import describe
from ipseval.estimate.proportions.rates import rates
from ipseval.estimate.repeated.mixed import mixed
from ipseval.estimate.times.survival import survival
from ipseval.examples import example
from ipseval.results import QUANTITIES, Results
from ipseval.results.sentences import sentence
from ipseval.results.vocabulary import AT_RISK

LANGUAGES = pytest.mark.parametrize("lang", words.LANGUAGES)


@pytest.fixture(scope="module")
def everything() -> Results:
    trial = example("scion")
    return (
        describe(trial)
        + rates(trial, endpoints.ever_employed(by=30))
        + survival(trial, endpoints.time_to_first_job(30))
        + mixed(trial, endpoints.employed_at(month=[6, 18, 30], source="visits"))
        + mixed(trial, endpoints.score("qol", months=[6, 18, 30]), name="quality_of_life")
        + mixed(
            trial, endpoints.employed_at(month=[6, 18, 30], source="visits"), model="gee", name="marginal"
        )
        + amounts(trial, endpoints.days_worked(by=30), methods=AMOUNT_METHODS, replicates=100)
    )


@LANGUAGES
def test_every_row_of_every_estimator_says_itself(everything: Results, lang: str) -> None:
    for results in (everything, protect(everything)):
        for _, row in results.frame.iterrows():
            said = sentence(row, results, lang=lang)
            assert words.text(f"quantity.{row['quantity']}", lang) in said
            assert "{" not in said
            assert ".." not in said
            assert "nan" not in said.lower().split()
    # A model is said in a sentence, as an equation, and by whether it converged; each row in a line, but for
    # those that a figure shows better.
    main = everything.main.frame
    drawn = main["quantity"].isin(AT_RISK) | (main["time_unit"] == "days")
    assert len(everything.explain(lang).splitlines()) == (~drawn).sum() + 3 * 3


def test_steps_of_a_curve_are_said_when_they_are_all_that_was_asked_for(everything: Results) -> None:
    steps = everything.select(quantity="number_at_risk")
    assert len(steps.explain().splitlines()) == len(steps)


@LANGUAGES
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_of_the_closed_list_can_be_said(quantity: str, lang: str) -> None:
    row = {
        "analysis": "a",
        "quantity": quantity,
        "estimate": 0.5,
        "statistic": 2.0,
        "df": 1.0,
        "p_value": 0.04,
    }
    results = Results.from_rows(
        [row | {"conf_low": 0.1, "conf_high": 0.9, "conf_level": 0.95, "time": 18, "unit": "days"}]
    )
    assert words.text(f"quantity.{quantity}", lang) in results.explain(lang)


def test_the_main_rate_of_the_trial_in_four_languages(everything: Results) -> None:
    row = everything.main.one(quantity="proportion", arm="IPS")
    said = {lang: sentence(row, everything, lang=lang) for lang in words.LANGUAGES}
    assert said["en"].startswith(
        "Proportion, IPS, within 30 months: 44.3% (95% confidence interval 33.2% to 55.9%). 31 of 70"
    )
    assert said["nl"].startswith("Aandeel, IPS, binnen 30 maanden: 44,3% (95%-betrouwbaarheidsinterval")
    assert "44,3\u00a0%" in said["fr"]
    assert "44,3\u00a0%" in said["de"]


def test_a_row_says_what_it_is_about(everything: Results) -> None:
    row = everything.one(quantity="mean", term="age", arm="IPS")
    assert sentence(row, everything).startswith("Mean (age), IPS:")
    row = everything.one(quantity="count", term="end_reason=completed", arm="IPS")
    assert sentence(row, everything).startswith("Number (end of follow-up = completed), IPS: 57")
    row = everything.one(analysis="mixed", quantity="population_averaged_difference", term="average")
    assert "(average over the months)" in sentence(row, everything)


def test_people_counted_are_said_once(everything: Results) -> None:
    row = everything.one(quantity="count", term="end_reason=completed", arm="IPS")
    said = sentence(row, everything)
    assert said.count("57") == 1
    assert said.startswith(f"Number (end of follow-up = completed), IPS: 57 of {row['n']} people.")


def test_amounts_are_compared_over_periods_and_not_over_months() -> None:
    days = mixed(example("scion"), endpoints.days_worked(by=[6, 18, 30]), model="gee")
    average = sentence(days.one(quantity="rate_ratio", term="average"), days)
    test = sentence(days.one(quantity="arm_by_month_test"), days)
    assert "(average over the periods)" in average
    assert test.startswith("Test that the effect is the same in every period")
    assert "month" not in average


def test_a_note_ends_with_one_full_stop_and_is_translated(everything: Results) -> None:
    row = everything.one(quantity="mean", arm="IPS", setting="missing=as_not_employed").copy()
    row["note"] = words.text("note.accrued") + "."
    assert sentence(row, everything, lang="nl").endswith("Na uitval wordt niets meer bijgeteld.")


@LANGUAGES
def test_a_small_p_value_is_below_and_not_equal_to(lang: str) -> None:
    test = {"analysis": "a", "quantity": "log_rank_test", "statistic": 13.0, "df": 1.0, "p_value": 0.0003}
    one = Results.from_rows([test])
    small = words.number(0.001, lang, digits=3)
    assert f"p < {small}" in one.explain(lang)
    margin = Results.from_rows([test | {"setting": "margin=-0.1", "term": "risk_difference"}])
    for found in (one, margin, Results.from_rows([test | {"statistic": None}])):
        said = found.explain(lang)
        assert f"< {small}" in said
        assert "= <" not in said


def test_one_degree_of_freedom_is_singular() -> None:
    said = {"en": "1 degree of", "nl": "1 vrijheidsgraad,", "fr": "1 degré de", "de": "1 Freiheitsgrad,"}
    many = {"en": "2 degrees of", "nl": "2 vrijheidsgraden", "fr": "2 degrés de", "de": "2 Freiheitsgraden"}
    test = {"analysis": "a", "quantity": "log_rank_test", "statistic": 3.0, "p_value": 0.2}
    for df, expected in ((1.0, said), (2.0, many)):
        found = Results.from_rows([test | {"df": df}])
        for lang, words_ in expected.items():
            assert words_ in found.explain(lang)


def test_what_failed_or_is_hidden_says_why(everything: Results) -> None:
    failed = Results.from_rows(
        [{"analysis": "a", "quantity": "mean", "status": "failed", "note": "no data."}]
    )
    assert failed.explain() == "Mean could not be computed: no data."
    none = {"analysis": "a", "quantity": "risk_ratio", "status": "not_defined"}
    ratio = Results.from_rows([{**none, "note": words.text("note.nobody_had_it")}])
    assert ratio.explain() == "Risk ratio has no value: nobody had the outcome."
    assert ratio.explain("de") == "Risikoverhältnis hat keinen Wert: niemand hatte das Ereignis."
    public = protect(everything)
    hidden = public.frame.loc[public.frame["status"] == "suppressed"].iloc[0]
    assert "fewer than 5 people could be recognised" in sentence(hidden, public)


def test_huge_numbers_are_written_and_not_raised() -> None:
    row = {
        "analysis": "a",
        "quantity": "hazard_ratio",
        "estimate": 1e30,
        "conf_low": 0.0,
        "conf_high": float("inf"),
        "conf_level": 0.95,
    }
    assert "\u221e" in Results.from_rows([row]).explain("de")


def test_a_ratio_says_that_its_standard_error_is_of_the_logarithm(everything: Results) -> None:
    ratios = [name for name, quantity in QUANTITIES.items() if quantity.scale == "ratio"]
    rows = everything.select(quantity=ratios).frame
    has_error = rows["std_error"].notna()
    assert has_error.any()
    said = rows["note"].str.contains(words.text("note.of_logarithm"), regex=False)
    assert (said == has_error).all()
    assert set(rows.loc[said & (rows["note"] == words.text("note.of_logarithm")), "status"]) <= {"ok"}
    row = rows.loc[has_error].iloc[0]
    assert "The standard error is that of the logarithm." in sentence(row, everything)
    assert "standaardfout is die van de logaritme" in sentence(row, everything, lang="nl")
