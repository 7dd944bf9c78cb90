"""The tables of one trial while they are checked: each person's follow-up beside each record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ipseval.trial import Design


@dataclass(frozen=True)
class Tables:
    """Canonical tables whose index holds the row numbers of the source, and the design.

    ``stated`` is None where trial.toml does not say what the design is; ``unread`` are tables that it
    names and that could not be read. What can be known without them is still said.
    """

    stated: Design | None
    frames: Mapping[str, pd.DataFrame]
    unread: frozenset[str] = frozenset()

    @property
    def design(self) -> Design:
        """The design, for rules that say they need it."""
        if self.stated is None:
            raise LookupError("the design is not known, and a rule that needs it was asked")
        return self.stated

    def have(self, *columns: str) -> bool:
        """Whether the participants were read and have these columns."""
        return "participants" in self.frames and set(columns) <= set(self.frames["participants"])

    @property
    def people(self) -> pd.DataFrame:
        """The participants, with ``end_reason`` missing where the trial does not record it."""
        people = self.frames["participants"]
        if "end_reason" in people:
            return people
        return people.assign(end_reason=pd.Series(pd.NA, index=people.index, dtype="string"))

    @property
    def randomised(self) -> frozenset[str]:
        """The ids of the participants, as far as they are known."""
        return (
            frozenset(self.people["participant_id"].dropna()) if self.have("participant_id") else frozenset()
        )

    @property
    def records(self) -> dict[str, pd.DataFrame]:
        """The other tables that are about persons."""
        return {
            name: frame
            for name, frame in self.frames.items()
            if name != "participants" and "participant_id" in frame
        }

    def without(self, table: str, rows: tuple[int, ...]) -> Tables:
        """Return the tables without these rows of one of them."""
        kept = self.frames[table].drop(index=list(rows))
        return replace(self, frames={**self.frames, table: kept})

    def is_known(self, frame: pd.DataFrame) -> pd.Series:
        """Whether each record's person was randomised."""
        return frame["participant_id"].isin(list(self.randomised))

    def follow_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return for each record its person's dates and end of follow-up; missing for the unknown."""
        people = self.people.dropna(subset=["participant_id"]).drop_duplicates("participant_id")
        columns = ["randomised_on", "followed_until", "end_reason"]
        by_person = people.set_index("participant_id")[columns]
        return by_person.reindex(pd.Index(frame["participant_id"])).set_axis(frame.index)
