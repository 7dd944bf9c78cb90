"""What every endpoint keeps: its frame, its definition in four languages, its way back from a plan."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pandas as pd
import pytest

from ipseval import endpoints, words
from ipseval.endpoints import BUILT_IN, Endpoint
from tests.make_trial import job, make_trial, person, register_month, visit

ENDPOINTS = [
    endpoints.ever_employed(by=[18, 30]),
    endpoints.in_work_or_education(by=18),
    endpoints.works_at_least(hours=16.5, by=30),
    endpoints.durable_employment(months=6, gap_days=14, by=[18, 30]),
    endpoints.employed_at(month=[6, 18]),
    endpoints.employed_at(month=[6, 18], source="visits"),
    endpoints.employed_monthly(until=5),
    endpoints.employed_monthly(until=3, source="months"),
    endpoints.time_to_first_job(horizon=30),
    endpoints.job_starts(horizon=18),
    endpoints.days_worked(by=[6, 30]),
    endpoints.days_worked(by=2, source="months"),
    endpoints.weeks_worked(by=30),
    endpoints.hours_worked(by=30),
    endpoints.hours_worked(by=[1, 2], source="months"),
    endpoints.hours_worked(by=30, unrecorded=19.5),
    endpoints.earnings(by=30),
    endpoints.earnings(by=2, source="months"),
    endpoints.jobs_held(by=30),
    endpoints.longest_job(by=30),
    endpoints.job_tenure(by=[18, 30]),
    endpoints.months_with_hours(at_least=48, by=3),
    endpoints.work_and_claim_state(month=[1, 2]),
    endpoints.benefit_amount(month=[1, 2]),
    endpoints.benefit_amount(by=2),
    endpoints.score("qol", months=[6, 18]),
]
BY_KEY = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.key)

VALUE_TYPES = {
    "binary": pd.BooleanDtype(),
    "time": pd.Int64Dtype(),
    "recurrent": pd.Int64Dtype(),
    "amount": np.dtype("float64"),
    "score": np.dtype("float64"),
}
MORE_COLUMNS = {
    "time": ["event"],
    "recurrent": ["event", "observed_until", "is_complete"],
    "amount": ["observed_until", "is_complete"],
}
OWN_COLUMNS = {"employed_at_jobs": ["at_end"], "hours_worked_jobs_unrecorded_19.5": ["assumed"]}


@pytest.fixture(scope="module")
def trial():
    work = {
        "days_worked": 9.0,
        "hours_worked": 70.0,
        "earnings": 900.0,
        "benefit_amount": 300.0,
        "on_claim": True,
    }
    return make_trial(
        [
            person("002"),
            person("001", 400, "withdrawn", arm="usual"),
            person("010", 300, "died"),
            person("003", 200, None, arm="usual"),
        ],
        [job("002", 40, 300), job("010", -9, None), job("003", 500, 600)],
        [visit("002", 6, employed=True, qol=4.0), visit("001", 18, employed=False, qol=None)],
        [register_month("002", month, **work) for month in ("2020-02", "2020-03", "2020-04")],
        scores=["qol"],
    )


def test_every_built_in_endpoint_is_here():
    assert {endpoint.name for endpoint in ENDPOINTS} == set(BUILT_IN)
    assert len({endpoint.key for endpoint in ENDPOINTS}) == len(ENDPOINTS)


@BY_KEY
def test_the_frame_keeps_the_contract(endpoint, trial):
    frame = endpoint.evaluate(trial)
    more = [*MORE_COLUMNS.get(endpoint.kind, []), *OWN_COLUMNS.get(endpoint.key, [])]
    assert list(frame.columns) == ["participant_id", "arm", "month", "value", "known", "reason", *more]
    assert frame["participant_id"].tolist() == ["002", "001", "010", "003"] * len(endpoint.months)
    assert frame["month"].tolist() == np.repeat(endpoint.months, 4).tolist()
    assert frame["arm"].cat.categories.tolist() == ["usual", "IPS"] and frame["arm"].cat.ordered
    if endpoint.kind in VALUE_TYPES:
        assert frame["value"].dtype == VALUE_TYPES[endpoint.kind]
    else:
        assert isinstance(frame["value"].dtype, pd.CategoricalDtype)
    assert frame["known"].dtype == np.dtype(bool)
    # What is known has a value, and what is not says why.
    assert not frame.loc[frame["known"], "value"].isna().any()
    assert not (frame.loc[~frame["known"], "reason"] == "").any()
    assert set(frame.loc[frame["known"], "reason"]) <= {"", "died"}
    if endpoint.kind in ("binary", "state", "score"):
        assert frame.loc[~frame["known"], "value"].isna().all()


@BY_KEY
def test_the_trial_is_left_as_it_was(endpoint, trial):
    before = {name: table.copy() for name, table in trial.tables.items()}
    endpoint.evaluate(trial)
    for name, table in before.items():
        pd.testing.assert_frame_equal(trial.tables[name], table)


@BY_KEY
def test_it_can_be_made_again_from_its_parameters(endpoint: Endpoint):
    assert BUILT_IN[endpoint.name](**endpoint.parameters) == endpoint


@BY_KEY
def test_it_is_a_frozen_value(endpoint):
    with pytest.raises(FrozenInstanceError):
        setattr(endpoint, fields(endpoint)[0].name, None)
    assert hash(endpoint) == hash(BUILT_IN[endpoint.name](**endpoint.parameters))


@BY_KEY
@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_its_definition_holds_its_parameters_in_every_language(endpoint, trial, lang):
    text = endpoint.definition(trial.design, lang)
    label = endpoints.label(endpoint.describe(trial.design), lang)
    assert label[0].isupper()
    assert not re.search(r"[{}]|\.$|  ", text + label)
    parameters = {name: value for name, value in endpoint.parameters.items() if name != "source"}
    for value in parameters.values():
        for item in value if isinstance(value, list) else [value]:
            written = (
                item if isinstance(item, str) else words.number(item, lang, digits=int(item != int(item)))
            )
            assert re.search(rf"\b{re.escape(written)}\b", text), f"{written!r} is not in the definition"


def test_definitions_differ_between_languages(trial):
    for endpoint in ENDPOINTS:
        texts = {endpoint.definition(trial.design, lang) for lang in words.LANGUAGES}
        assert len(texts) == len(words.LANGUAGES)


def test_a_list_of_months_is_written_out(trial):
    endpoint = endpoints.ever_employed(by=[18, 24, 30])
    assert "within 18, 24 or 30 months" in endpoint.definition(trial.design)
    assert "innerhalb von 18, 24 oder 30 Monaten" in endpoint.definition(trial.design, "de")
    assert "16,5 uur per week" in endpoints.works_at_least(16.5).definition(trial.design, "nl")


def test_every_state_has_a_word_in_every_language(trial):
    states = endpoints.work_and_claim_state(month=1).evaluate(trial)["value"].cat.categories
    for state in states:
        assert all(
            words.text(f"endpoint.work_and_claim_state.state.{state}", lang) for lang in words.LANGUAGES
        )


def test_currency_is_that_of_the_trial(trial):
    assert endpoints.earnings().describe(trial.design)["unit"] == "EUR"
    assert endpoints.hours_worked().describe(trial.design)["unit"] == "hours"
