"""One person's way from records to value, as the analyst reads it."""

from __future__ import annotations

import pytest

from ipseval import endpoints
from ipseval.errors import DataError
from tests.make_trial import covered, job, make_trial, person, register_month, visit


@pytest.fixture
def trial():
    return make_trial(
        [person("001", until=400, end_reason="withdrawn"), person("002", arm="usual")],
        [
            job("001", 500, None),
            job("001", -30, -1),
            job("001", 40, 60, kind="sheltered"),
            job("001", 100, None, hours_per_week=None),
            job("001", -5, 9),
            job("002", 1, 2),
        ],
        [visit("001", 6, employed=True, qol=3.5), visit("001", 12, employed=None)],
        [register_month("001", "2020-03", hours_worked=60.0)],
        [covered("001", "2020-01-01", "2020-12-31")],
        scores=["qol"],
    )


def test_each_spell_is_counted_or_not_with_the_reason(trial):
    assert trial.explain("001", endpoints.ever_employed(by=[18])).splitlines() == [
        "001 (IPS): Ever in competitive work",
        "  had started a new competitive job at any time within 18 months of randomisation; "
        "a job already under way at randomisation does not count",
        "  randomised on 2020-01-01 (day 0), followed until 2021-02-04 (day 400), withdrawn",
        "  5 spells recorded",
        "    2019-12-02 to 2019-12-31, competitive, 20 hours a week, 15 an hour: "
        "not counted, ended on day -1, before randomisation",
        "    2019-12-27 to 2020-01-10, competitive, 20 hours a week, 15 an hour: "
        "not counted, under way at randomisation (since day -5) and so not new",
        "    2020-02-10 to 2020-03-01, sheltered, 20 hours a week, 15 an hour: "
        "not counted, only competitive is",
        "    2020-04-10 to still going, competitive, hours unknown, 15 an hour: counted, days 100 to 400",
        "    2021-05-15 to still going, competitive, 20 hours a week, 15 an hour: "
        "not counted, starts on day 500, after follow-up",
        "  within 18 months: days 0 to 546, before 2021-07-01; followed to it: no",
        "  month 18: yes",
    ]


@pytest.mark.parametrize(
    ("endpoint", "lines"),
    [
        (endpoints.time_to_first_job(30), ["month 30: first job on day 100"]),
        (
            endpoints.days_worked(by=[3, 30]),
            ["counted, days 0 to 9, under way since day -5", "month 3: 10 days, complete"],
        ),
        (endpoints.days_worked(by=30), ["month 30: 311 days, so far, to day 400 (withdrawn)"]),
        (endpoints.hours_worked(by=30), ["month 30: not known (hours not recorded)"]),
        (
            endpoints.employed_at(month=12),
            ["12 months after randomisation: 2021-01-01, day 366", "month 12: yes"],
        ),
        (endpoints.employed_at(month=18), ["month 18: not known (withdrawn)"]),
        (
            endpoints.employed_at(month=[6, 12], source="visits"),
            ["visit of month 6: employed True", "month 6: yes", "month 12: not known (not assessed)"],
        ),
        (
            endpoints.score("qol", months=6),
            ["visit of month 6: qol 3.5", "visit of month 12: qol blank", "month 6: 3.5"],
        ),
        (
            endpoints.employed_monthly(until=2),
            ["months are observed up to day 400, 2021-02-04", "month 2: no"],
        ),
        (
            endpoints.months_with_hours(at_least=48, by=3),
            [
                "covered by work: 2020-01-01 to 2020-12-31",
                "month 2 (2020-03), work: hours_worked 60",
                "month 3: 1 months, complete",
            ],
        ),
    ],
    ids=lambda value: value.key if isinstance(value, endpoints.Endpoint) else "",
)
def test_the_text_ends_with_the_value(trial, endpoint, lines):
    text = [line.strip() for line in trial.explain("001", endpoint).splitlines()]
    for line in lines:
        assert any(shown.endswith(line) for shown in text), line


def test_nobody_else_is_shown(trial):
    assert "002" not in trial.explain("001", endpoints.ever_employed())
    with pytest.raises(DataError, match="Participant '003' is not among the 2 people randomised"):
        trial.explain("003", endpoints.ever_employed())
