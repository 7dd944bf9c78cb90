"""What is said of each way of counting people whose outcome is unknown."""

from __future__ import annotations

import ipseval as ips
from ipseval import words
from ipseval.estimate import unknown


def test_early_outcomes_stay_is_said_of_accumulating_outcomes_alone() -> None:
    assert unknown.note_of("observed", cumulative=True) == words.text("note.observed")
    assert "early outcomes stay" in unknown.note_of("observed", cumulative=True)
    assert "early" not in unknown.note_of("observed", cumulative=False)
    assert unknown.note_of("completers", cumulative=False) == words.text("note.completers")
    assert unknown.note_of("as_not_employed", cumulative=False) == ""


def test_rates_say_of_a_status_what_holds_of_a_status():
    found = ips.rates(ips.example("scion"), ips.employed_at(month=18, source="visits")).frame
    notes = found.loc[found["setting"] == unknown.setting_of("observed"), "note"]
    assert len(notes) and notes.str.startswith(words.text("note.observed_status")).all()
