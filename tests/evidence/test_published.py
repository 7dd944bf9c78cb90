"""Published figures: the counts print as the percentages, and every figure says how far it can be trusted."""

from __future__ import annotations

import pytest

from ipseval.errors import AnalysisError
from ipseval.evidence.published import published, published_names, published_results


@pytest.mark.parametrize("name", published_names())
def test_counts_print_as_the_published_percentages(name: str) -> None:
    found = published(name)
    for reading in found.readings:
        assert sum(reading.arms.values()) == found.randomised
        for arm, printed in found.percentages.items():
            digits = 1 if printed != int(printed) else 0
            assert round(100 * reading.events[arm] / reading.arms[arm], digits) == printed
        assert reading.mark in ("read", "derived", "unverified")
        assert reading.note
    assert found.citation


def test_the_lancet_counts_are_those_printed() -> None:
    """Burns et al. (2007), Lancet 370:1146-1152: 85 (54.5%) of 156 v 43 (27.6%) of 156."""
    frame = published_results("eqolise").select(method="wilson").frame
    assert frame.set_index("arm")["n_event"].to_dict() == {"IPS": 85, "usual": 43}


def test_the_newcombe_interval_of_31_of_70_and_20_of_81() -> None:
    """By hand, Newcombe's method 10 from both Wilson intervals."""
    rows = published_results("scion").main
    active, reference = (rows.one(quantity="proportion", arm=arm) for arm in ("IPS", "usual"))
    row = rows.one(quantity="risk_difference")
    low = (
        row.estimate
        - ((active.estimate - active.conf_low) ** 2 + (reference.conf_high - reference.estimate) ** 2) ** 0.5
    )
    high = (
        row.estimate
        + ((active.conf_high - active.estimate) ** 2 + (reference.estimate - reference.conf_low) ** 2) ** 0.5
    )
    assert [row.conf_low, row.conf_high] == pytest.approx([low, high])
    assert row.setting == "arms=70/81 (read)"


def test_an_unverified_reading_is_shown_as_such_and_is_never_the_main_row() -> None:
    found = published_results("scion")
    assert set(found.frame["setting"]) == {"arms=70/81 (read)", "arms=71/80 (unverified)"}
    assert not found.main.frame["setting"].str.contains("unverified").any()


def test_what_was_printed_is_told_from_what_was_computed() -> None:
    printed = published_results("scion").select(method="published").frame
    assert printed["n"].isna().all()
    assert printed["conf_low"].isna().all()
    assert set(printed["note"]) == {"as printed (read)"}


def test_a_trial_that_is_not_kept_is_refused() -> None:
    with pytest.raises(
        AnalysisError, match=r"Nothing published is kept for 'other' \(kept: scion, eqolise\)"
    ):
        published_results("other")
    with pytest.raises(AnalysisError, match="conf_level"):
        published_results("scion", conf_level=95)
