"""What an endpoint is: a definition, an outcome per participant, and a way to explain one person.

``evaluate`` returns the outcome frame that every estimator reads: one row per participant and month
(of assessment, or horizon). Months ascend, and the rows of one month are the participants in the
order of ``trial.participants``. Nobody is left out; an outcome that is not known is missing and
says why.

==================  ============================================================================
column              content
==================  ============================================================================
``participant_id``  text
``arm``             ordered category, reference first
``month``           float; the horizon or the assessment, in months since randomisation
``value``           by kind. binary: boolean, missing = unknown. time: whole days (Int64).
                    recurrent: events so far (Int64). amount and score: float. state: category
``known``           bool; whether ``value`` is what happened, by the endpoint's own rules
``reason``          why it is not known ("withdrawn", "not assessed", ...), else empty; "died" where
                    a monthly status is known to be "not working" because of death
``event``           time only: category "censored", "event" or "died"; recurrent: how the count
                    ended, "censored" or "died"
``observed_until``  amount and recurrent: last study day that the value covers (Int64)
``is_complete``     amount and recurrent: whether it covers the whole window; the dead are complete
                    as accrued. What accrued by ``observed_until`` stands in ``value`` either way
``assumed``         ``hours_worked`` with hours stated for jobs without any only: whether the amount
                    rests on them
``at_end``          ``employed_at`` from jobs only: whether the status is that of the last day
                    followed, which a completer reached within tolerance of the day asked for
==================  ============================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.trial import Design, Trial

Kind = Literal["binary", "time", "recurrent", "amount", "state", "score"]

CENSORED, EVENT, DIED = "censored", "event", "died"


def months_of(months: float | Iterable[float], name: str) -> tuple[float, ...]:
    """Return one month or several as an ascending tuple; refuse none, repeats, negative months and True."""
    try:
        given = np.asarray(months, dtype=object).ravel()
        if any(isinstance(month, bool | np.bool_) for month in given):
            raise TypeError("a yes or no is not a number of months, although Python counts with it")
        ordered = tuple(np.sort(given.astype(np.float64)).tolist())
    except (TypeError, ValueError):
        ordered = ()
    if not ordered or ordered[0] < 0 or len(set(ordered)) < len(ordered) or not np.isfinite(ordered).all():
        raise AnalysisError(
            f"{name}={months!r} is not a month, or several different months, of 0 or more. "
            f"Write {name}=30 or {name}=[18, 24, 30]."
        )
    return ordered


def horizons_of(months: float | Iterable[float], name: str) -> tuple[float, ...]:
    """Return months as ``months_of`` does; refuse 0, within which nothing can happen."""
    ordered = months_of(months, name)
    if ordered[0] == 0:
        raise AnalysisError(
            f"{name}={months!r} asks for what happened within 0 months, and no day lies within them. "
            f"Write months above 0, such as {name}=30."
        )
    return ordered


def horizon_of(month: float, name: str) -> float:
    """Return one horizon; refuse several."""
    ordered = horizons_of(month, name)
    if len(ordered) > 1:
        raise AnalysisError(f"{name}={month!r} holds {len(ordered)} months. Write one, such as {name}=30.")
    return ordered[0]


def whole_months_of(months: float | Iterable[float], name: str, *, lowest: int = 0) -> tuple[float, ...]:
    """Return months as ``months_of`` does; refuse fractions and those below ``lowest``."""
    ordered = months_of(months, name)
    if ordered[0] < lowest or any(month != int(month) for month in ordered):
        raise AnalysisError(
            f"{name}={months!r} is not a whole month of {lowest} or more, or several. "
            f"Write {name}=18 or {name}=[6, 18, 30]."
        )
    return ordered


@dataclass(frozen=True)
class Endpoint(ABC):
    """One outcome, defined: a frozen value whose fields are its parameters.

    Subclasses set ``name`` (as in ``ips.endpoints``), ``kind`` and ``unit`` (a key of the units in
    the catalogue of words; empty for a yes or no), and implement ``months`` and ``evaluate``.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    unit: ClassVar[str] = ""
    #: Whether a month means "within that many months" (True) or "at that month" (False).
    cumulative: ClassVar[bool] = True

    @property
    def accrues(self) -> bool:
        """Whether it is a total whose parts in consecutive windows add up, day by day."""
        return False

    @property
    @abstractmethod
    def months(self) -> tuple[float, ...]:
        """The horizons or assessments, in months since randomisation, ascending."""

    @property
    def key(self) -> str:
        """The name in the results table; parameters that change what is measured are part of it."""
        return self.name

    @property
    def words_key(self) -> str:
        """Where the catalogue of words has this endpoint's ``label`` and ``definition``."""
        return f"endpoint.{self.name}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of the function that makes it, as plain values for a plan or a saved result."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    def definition(self, design: Design, lang: str = "en") -> str:
        """Return the sentence that states the definition; it travels with every number."""
        return definition(self.describe(design), lang)

    def describe(self, design: Design) -> dict[str, Any]:
        """Return what a saved result keeps of the endpoint, enough to write its definition."""
        return {
            "name": self.name,
            "words": self.words_key,
            "kind": self.kind,
            "unit": design.currency if self.unit == "currency" else self.unit,
            "cumulative": self.cumulative,
            "months": list(self.months),
            "month_rule": design.month,
            "competitive": list(design.competitive),
            "parameters": self.parameters,
        }

    @abstractmethod
    def evaluate(self, trial: Trial) -> pd.DataFrame:
        """Return the outcome frame described at the top of this module."""

    @abstractmethod
    def explain(self, trial: Trial, person: str) -> str:
        """Return one person's way from records to value, for the analyst's own terminal."""


def definition(described: Mapping[str, Any], lang: str = "en") -> str:
    """Return the definition of an endpoint from what ``Endpoint.describe`` kept."""
    return words.text(f"{described['words']}.definition", lang, **_in_words(described["parameters"], lang))


def label(described: Mapping[str, Any], lang: str = "en") -> str:
    """Return the short name of an endpoint from what ``Endpoint.describe`` kept."""
    return words.text(f"{described['words']}.label", lang, **_in_words(described["parameters"], lang))


def _in_words(parameters: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Return each parameter as it stands in a sentence: within "18, 24 or 30", at "18, 24 and 30"."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in parameters.items()}
    return {
        name: joined([_written(item, lang) for item in items], lang, "or" if name == "by" else "and")
        for name, items in lists.items()
    }


def _written(value: Any, lang: str) -> str:
    if isinstance(value, str):
        return value
    decimals = -int(Decimal(repr(float(value))).normalize().as_tuple().exponent)
    return words.number(value, lang, digits=max(decimals, 0))


def joined(items: list[str], lang: str, how: Literal["and", "or"] = "and") -> str:
    """Return "18, 24 and 30"; or "18, 24 or 30"."""
    if len(items) < 2:
        return "".join(items)
    return words.text(f"list.{how}", lang, first=", ".join(items[:-1]), last=items[-1])


def outcome_frame(
    trial: Trial,
    month: float | tuple[float, ...],
    value: Any,
    *,
    known: NDArray[np.bool_],
    reason: NDArray[Any],
    **more: Any,
) -> pd.DataFrame:
    """Return the rows of one month: one per participant, in the trial's order.

    Several months at once are blocks of such rows: ``known`` and ``reason`` then have the shape
    (months, people), and ``value`` has their length when flattened.
    """
    people, months = trial.participants, np.atleast_1d(np.asarray(month, dtype=np.float64))
    rows = np.tile(np.arange(len(people)), len(months))
    frame = {
        "participant_id": people["participant_id"].array.take(rows),
        "arm": people["arm"].array.take(rows),
        "month": np.repeat(months, len(people)),
        "value": value,
        "known": known.ravel(),
        "reason": pd.array(reason.ravel().tolist(), dtype="string"),
        **more,
    }
    return pd.DataFrame(frame)


def amount_frame(
    trial: Trial,
    month: float,
    value: NDArray[np.float64],
    is_complete: NDArray[np.bool_],
    observed_until: NDArray[np.int64],
    reason: NDArray[Any],
    **more: Any,
) -> pd.DataFrame:
    """Return the rows of one month of an amount: known where it is complete and could be formed."""
    return outcome_frame(
        trial,
        month,
        value,
        known=is_complete & ~np.isnan(value),
        reason=reason,
        observed_until=pd.array(observed_until, dtype="Int64"),
        is_complete=is_complete,
        **more,
    )


def stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of several months as one outcome frame."""
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def yes_no(yes: NDArray[np.bool_], known: NDArray[np.bool_]) -> pd.arrays.BooleanArray:
    """Return a boolean column, flattened, missing where not known."""
    return pd.arrays.BooleanArray((yes & known).ravel(), ~known.ravel())


def why_unknown(
    trial: Trial, known: NDArray[np.bool_], otherwise: str = "followed too short"
) -> NDArray[Any]:
    """Return why follow-up ended for those whose outcome is not known, and "" for the others.

    ``known`` has the shape (people,) or (months, people), and so has the answer.
    """
    people = trial.participants
    if "end_reason" not in people:
        return np.where(known, "", np.array(otherwise, dtype=object))
    ended = people["end_reason"].astype("category").cat
    texts = [otherwise if reason == "completed" else reason for reason in ended.categories]
    # A blank has code -1 and so takes the last text.
    reasons = np.array([*texts, otherwise], dtype=object)[ended.codes.to_numpy()]
    return np.where(known, "", reasons)
