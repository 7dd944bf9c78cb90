"""Results -> PublicResults: what is written for others names no person and lets none be inferred.

Four rules, each with its reason:

* **Small cells.** A row is suppressed when it rests on fewer than ``minimum`` people, or when fewer
  than ``minimum`` of them had, or did not have, the outcome. An empty cell (nobody) is shown unless
  ``zeros="hide"``, because nobody can be picked out of it.
* **What can be subtracted.** Two ways of counting the same people, or two horizons of one cumulative
  outcome, that differ by fewer than ``minimum`` people show those few by subtraction: the main row
  stays, the other is suppressed. Of a variable's categories never just one is hidden, and a
  contrast goes with its arms.
* **Curves.** Every step that is left holds at least ``minimum`` events, drawn where the last of them
  happened; the value at the horizon stays. Numbers at risk are rounded to multiples of
  ``minimum``, so that a few people lost between two ticks cannot be counted.
* **Texts.** Notes that hold numbers stay inside, and so do draws and covariances.

The minimum is 5 unless said otherwise; ask the holder of the data what applies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.errors import AnalysisError
from ipseval.results import PublicResults, Results
from ipseval.results.table import typed

Mask = NDArray[np.bool_]

SMALL_CELL = words.text("note.small_cell")
_HIDDEN_NUMBERS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
_HIDDEN = (*_HIDDEN_NUMBERS, "n", "n_event", "n_missing")
_CURVES = ("cumulative_incidence", "event_free_probability")
_ROUNDED = ("number_at_risk", "cumulative_events", "cumulative_censored")
_SAME_PEOPLE = ["analysis", "endpoint", "population", "subgroup", "term"]


@dataclass(frozen=True)
class Policy:
    """What counts as too few to be shown.

    Attributes
    ----------
    minimum : int
        The smallest number of people that may be shown.
    zeros : {"show", "hide"}
        Whether an empty cell may be shown.
    """

    minimum: int = 5
    zeros: str = "show"

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= 1000:
            raise AnalysisError(
                f"minimum={self.minimum!r} is not from 1 to 1000 people. Common minima are 5 and 10."
            )
        checks.one_of(self.zeros, ("show", "hide"), "zeros")

    def small(self, count: NDArray[np.float64]) -> Mask:
        """Whether each count is too small; a missing count is not."""
        lowest = 0.0 if self.zeros == "hide" else 0.5
        with np.errstate(invalid="ignore"):
            return (count >= lowest) & (count < self.minimum)


def protect(results: Results, policy: Policy | None = None) -> PublicResults:
    """Return results from which no person can be recognised.

    Parameters
    ----------
    results : Results
    policy : Policy, optional
        By default a minimum of 5 people, empty cells shown.

    Returns
    -------
    PublicResults
        The same rows in the same order, except curve points, of which only those remain whose step
        is large enough. Suppressed rows keep their key and have status "suppressed".

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
    >>> type(ips.protect(found)).__name__
    'PublicResults'
    """
    policy = policy or Policy()
    if isinstance(results, PublicResults):
        return results
    frame = results.frame.copy()
    counts = _numbers(frame)
    curve = _is_curve(frame)
    rounded = frame["quantity"].isin(_ROUNDED).to_numpy(dtype=bool)
    hide = _small_cells(frame, counts, policy) & ~curve & ~rounded
    hide |= _differ_by_few(results, frame, counts, policy)
    hide |= _second_category(frame, counts, hide)
    hide |= _contrasts_of(frame, hide)
    frame = _round_at_risk(frame, rounded, policy)
    frame = _few_missing(frame, counts, policy)
    frame = _suppressed(frame, hide)
    frame = frame.loc[_steps_large_enough(frame, policy)]
    said = {
        "minimum": policy.minimum,
        "zeros": policy.zeros,
        "suppressed": int(hide.sum()),
        "rounded": int(rounded.sum()),
        "points_left_out": int(len(results.frame) - len(frame)),
    }
    provenance = {**results.provenance, "disclosure": said}
    return PublicResults(typed(frame), results.records, results.endpoints, provenance, {})


def _numbers(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    return {
        name: frame[name].to_numpy(dtype="float64", na_value=np.nan) for name in ("n", "n_event", "n_missing")
    }


def _is_curve(frame: pd.DataFrame) -> Mask:
    """Whether a row is a point of a curve: a probability at a day, not at a stated month."""
    return np.asarray(frame["quantity"].isin(_CURVES) & (frame["time_unit"] == "days"), dtype=bool)


def _small_cells(frame: pd.DataFrame, counts: dict[str, NDArray[np.float64]], policy: Policy) -> Mask:
    """Whether a row rests on too few people, or too few with or without the outcome.

    The median and the quartiles are single people's values, and stand only among enough others.
    """
    n, events = counts["n"], counts["n_event"]
    hide = policy.small(n) | policy.small(events) | policy.small(n - events)
    share = (
        frame["quantity"]
        .map({"median": 2.0, "lower_quartile": 4.0, "upper_quartile": 4.0})
        .to_numpy(dtype="float64")
    )
    with np.errstate(invalid="ignore"):
        hide |= n < share * policy.minimum
    counted = np.asarray(frame["quantity"] == "count", dtype=bool)
    return hide | (counted & policy.small(frame["estimate"].to_numpy(dtype="float64")))


def _differ_by_few(
    results: Results, frame: pd.DataFrame, counts: dict[str, NDArray[np.float64]], policy: Policy
) -> Mask:
    """Whether a yes-or-no row can be subtracted from another that is shown, leaving too few people."""
    hide = np.zeros(len(frame), dtype=bool)
    yes_or_no = frame["quantity"].isin(["proportion", "cumulative_incidence"]) & ~_is_curve(frame)
    rows = frame.loc[yes_or_no & (frame["arm"] != "")]
    for (analysis, *_), group in rows.groupby([*_SAME_PEOPLE, "arm"], observed=True, sort=False):
        settings = results.records.get(str(analysis), {}).get("main", {}).get("setting", {})
        main = settings.get(str(group["quantity"].iloc[0]), group["setting"].iloc[0])
        kept: list[int] = []
        # Main rows first, the longest horizon first: what matters most is what stays.
        order = group.assign(other=group["setting"] != main).sort_values(
            ["other", "time"], ascending=[True, False]
        )
        for row in order.index:
            if any(_leaves_few(counts, row, other, frame, policy) for other in kept):
                hide[row] = True
            else:
                kept.append(row)
    return _spread(frame, hide)


def _leaves_few(
    counts: dict[str, NDArray[np.float64]], row: int, other: int, frame: pd.DataFrame, policy: Policy
) -> bool:
    """Whether two rows about the same people differ by a few who had, or had not, the outcome."""
    at_other_time = frame["time"].iloc[row] != frame["time"].iloc[other]
    if at_other_time and frame["time_from"].iloc[row] != 0.0:
        return False  # status at two moments: people move both ways, so a difference counts nobody
    yes = np.abs(counts["n_event"][row] - counts["n_event"][other])
    without = [counts["n"][at] - counts["n_event"][at] for at in (row, other)]
    gaps = np.array([yes, np.abs(without[0] - without[1])])
    return bool(((gaps > 0) & (gaps < policy.minimum)).any())


def _spread(frame: pd.DataFrame, hide: Mask) -> Mask:
    """Hide every row of an arm at a time and setting when one of them is hidden."""
    keys = [*_SAME_PEOPLE, "time", "setting", "arm"]
    wanted = frame.loc[hide & (frame["arm"] != "").to_numpy(dtype=bool), keys].drop_duplicates()
    if wanted.empty:
        return hide
    hidden = frame[keys].merge(wanted.assign(_hit=True), on=keys, how="left")["_hit"].notna().to_numpy()
    return hide | (hidden & ~_is_curve(frame) & ~frame["quantity"].isin(_ROUNDED).to_numpy(dtype=bool))


def _contrasts_of(frame: pd.DataFrame, hide: Mask) -> Mask:
    """Whether a contrast belongs to an arm that is hidden at its time and setting."""
    keys = [*_SAME_PEOPLE, "time", "setting"]
    is_arm = (frame["arm"] != "").to_numpy(dtype=bool)
    wanted = frame.loc[hide & is_arm, keys].drop_duplicates()
    if wanted.empty:
        return np.zeros(len(frame), dtype=bool)
    hit = frame[keys].merge(wanted.assign(_hit=True), on=keys, how="left")["_hit"].notna().to_numpy()
    return np.asarray(hit & ~is_arm & (frame["contrast"] != "").to_numpy(dtype=bool))


def _second_category(frame: pd.DataFrame, counts: dict[str, NDArray[np.float64]], hide: Mask) -> Mask:
    """Hide the next smallest category where just one of a variable's categories would be hidden.

    Categories are rows whose term reads ``variable=category``; they add up to the people of the arm.
    """
    more = np.zeros(len(frame), dtype=bool)
    counted = frame["quantity"].isin(["count", "percentage"]) & frame["term"].str.contains("=")
    if not counted.any():
        return more
    rows = frame.assign(variable=frame["term"].str.partition("=")[0], hidden=hide).loc[counted]
    sizes = pd.Series(counts["n_event"], index=frame.index).fillna(frame["estimate"])
    for _, group in rows.groupby(
        ["analysis", "endpoint", "quantity", "variable", "arm", "time"], dropna=False
    ):
        if group["hidden"].sum() == 1 and len(group) > 1:
            shown = group.index[~group["hidden"].to_numpy(dtype=bool)]
            filled = sizes.loc[shown].loc[lambda size: size > 0]
            smallest = (filled if len(filled) else sizes.loc[shown]).idxmin()
            more[frame.index.get_loc(smallest)] = True
    return more


def _steps_large_enough(frame: pd.DataFrame, policy: Policy) -> Mask:
    """Whether a row stays: every row that is no curve point, and the points whose step is large enough.

    The values at milestones that are shown stand first. Points are then taken from the horizon
    backwards, so that the value there is never lost; a point stays if it lies at least ``minimum``
    events from every value that stays, and stands for none or at least ``minimum`` events itself.
    """
    keep = np.ones(len(frame), dtype=bool)
    curve = _is_curve(frame)
    shown = (frame["status"] != "suppressed").to_numpy(dtype=bool)
    by = [*_SAME_PEOPLE, "quantity", "arm", "method", "setting"]
    for _, rows in frame.loc[frame["quantity"].isin(_CURVES) & shown].groupby(by, sort=False):
        events = rows["n_event"].to_numpy(dtype="float64", na_value=np.nan)
        is_point = curve[rows.index]
        stays = [0.0, *events[~is_point]]
        order = np.argsort(-rows["time"].to_numpy(dtype="float64"), kind="stable")
        for at in order[is_point[order]]:
            gaps = np.abs(np.array(stays) - events[at])
            if bool((policy.small(gaps) & (gaps > 0)).any()):
                keep[rows.index[at]] = False
            else:
                stays.append(events[at])
    return keep


def _round_at_risk(frame: pd.DataFrame, rounded: Mask, policy: Policy) -> pd.DataFrame:
    """Round numbers at risk to multiples of the minimum, and say so."""
    if not rounded.any():
        return frame
    base = policy.minimum
    for column in ("estimate", "n_event"):
        exact = frame[column].to_numpy(dtype="float64", na_value=np.nan)
        values = np.where(rounded, np.floor(exact / base + 0.5) * base, exact)
        frame[column] = pd.Series(values, index=frame.index).astype(frame[column].dtype)
    frame.loc[rounded, "note"] = f"rounded to a multiple of {base}"
    return frame


def _few_missing(frame: pd.DataFrame, counts: dict[str, NDArray[np.float64]], policy: Policy) -> pd.DataFrame:
    """Leave out the count of people with an unknown outcome where it is small; the estimate stays."""
    frame.loc[policy.small(counts["n_missing"]) & (counts["n_missing"] > 0), "n_missing"] = pd.NA
    return frame


def _suppressed(frame: pd.DataFrame, hide: Mask) -> pd.DataFrame:
    """Empty the hidden rows, and take numbers of people out of every note."""
    for column in _HIDDEN:
        frame.loc[hide, column] = np.nan if column in _HIDDEN_NUMBERS else pd.NA
    failed = (frame["status"] == "failed").to_numpy(dtype=bool)
    telling = frame["note"].str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    frame.loc[failed & telling, "note"] = words.text("note.inside")
    frame.loc[hide, "status"] = "suppressed"
    frame.loc[hide, "note"] = SMALL_CELL
    return frame


def names_in(text: str, pseudonyms: Iterable[str]) -> list[str]:
    """Return the pseudonyms that stand in a text as whole words; every public file is searched."""
    return sorted(set(pseudonyms) & set(re.findall(r"[\w.-]+", text)))
