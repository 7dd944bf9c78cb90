"""Which rows would tell of a few people, and which of their numbers would.

One method per way of finding out; ``protect`` calls them in turn, and later ones see what earlier ones hid.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval.disclosure.policy import Floats, Mask, Policy
from ipseval.results import Results
from ipseval.results.vocabulary import AT_RISK

COUNTS = ("n", "n_event", "n_missing")
CURVES = ("cumulative_incidence", "event_free_probability", "mean_cumulative_number")
#: The settings of `describe` that count how many stayed, and how many were seen.
_FLOW = ("flow", "assessed")
#: Quantities that are n_event / n, or n_event itself: hiding n alone would not hide it.
_EXACT = ("proportion", "percentage", "share_zero", "count")
#: How many minima of people must stand behind a quantity that is a single person's value.
_PEOPLE_BESIDE = {"median": 2.0, "lower_quartile": 4.0, "upper_quartile": 4.0, "median_time": 2.0}
_PEOPLE = ["population", "subgroup"]


class Sheet:
    """One results table on its way out: which rows to hide, which numbers of people to leave blank."""

    def __init__(self, results: Results, policy: Policy) -> None:
        frame = results.frame
        self.results, self.policy, self.frame = results, policy, frame
        self.counts = {name: frame[name].to_numpy(dtype="float64", na_value=np.nan) for name in COUNTS}
        made_public = [name for name, record in results.records.items() if record["estimator"] == "published"]
        self.is_published = frame["analysis"].isin(made_public).to_numpy(dtype=bool)
        self.is_curve = np.asarray(
            frame["quantity"].isin(CURVES) & (frame["time_unit"] == "days"), dtype=bool
        )
        self.is_rounded = frame["quantity"].isin(AT_RISK).to_numpy(dtype=bool, copy=True)
        self.is_arm = (frame["arm"] != "").to_numpy(dtype=bool)
        self.hide = np.zeros(len(frame), dtype=bool)
        self.leave_out = np.zeros(len(frame), dtype=bool)
        self.blank = {name: np.zeros(len(frame), dtype=bool) for name in COUNTS}
        self.blank_df = np.zeros(len(frame), dtype=bool)
        self.randomised = self._randomised()
        self.arms_of = {f"{a} - {b}": (a, b) for a in self.randomised for b in self.randomised if a != b}

    def _randomised(self) -> dict[str, float]:
        """Return people randomised per arm: as the trial says, else the most that stand in any row."""
        known = self.results.provenance.get("trial", {}).get("randomised", {})
        arms = [arm for arm in pd.unique(self.frame["arm"]) if arm]
        most = {
            arm: np.nanmax(np.append(self.counts["n"][(self.frame["arm"] == arm).to_numpy(dtype=bool)], 0.0))
            for arm in arms
        }
        return {**most, **{arm: float(n) for arm, n in known.items()}}

    # ---- small cells

    def hide_small_cells(self) -> None:
        """Hide rows on too few people, or with too few who had, or had not, the outcome."""
        n, events, frame = self.counts["n"], self.counts["n_event"], self.frame
        small = self.policy.small(n) | self.policy.small(events) | self.policy.small(n - events)
        share = frame["quantity"].map(_PEOPLE_BESIDE).to_numpy(dtype="float64", na_value=np.nan)
        with np.errstate(invalid="ignore"):
            small |= n < share * self.policy.minimum
        small |= self._tells_of_few_deaths()
        counted = np.asarray(frame["quantity"] == "count", dtype=bool)
        small |= counted & self.policy.small(frame["estimate"].to_numpy(dtype="float64"))
        self.small_cell = small & ~self.is_curve & ~self.is_rounded & ~self.is_published
        few_at_risk = self.is_rounded & self.policy.small(frame["estimate"].to_numpy(dtype="float64"))
        self.hide |= self.small_cell | few_at_risk

    def _tells_of_few_deaths(self) -> Mask:
        """Whether a mean time alive, taken from the time since the event, leaves the days of a few dead."""
        frame = self.frame
        keys = [*_PEOPLE, "analysis", "endpoint", "arm"]
        died = frame.loc[(frame["term"] == "died").to_numpy(dtype=bool) & self.is_arm]
        deaths = died.assign(deaths=died["n_event"].astype("float64")).groupby(keys)["deaths"].max()
        few = deaths.loc[self.policy.small(deaths.to_numpy(dtype="float64")) & (deaths > 0)].reset_index()
        alive = (frame["quantity"] == "restricted_mean_survival_time").to_numpy(dtype=bool)
        return alive & _matching(frame[keys], few[keys])

    # ---- what can be subtracted

    def hide_left_out(self) -> None:
        """Hide rows, or else their numbers of people, that leave out a few of those randomised."""
        everyone = np.full(len(self.frame), np.nan)
        for arm, people in self.randomised.items():
            everyone[(self.frame["arm"] == arm).to_numpy(dtype=bool)] = people
        for contrast, pair in self.arms_of.items():
            named = (self.frame["contrast"] == contrast).to_numpy(dtype=bool)
            everyone[named] = sum(self.randomised[arm] for arm in pair)
        neither = ~self.is_arm & (self.frame["contrast"] == "").to_numpy(dtype=bool)
        everyone[neither] = sum(self.randomised.values())
        few = ~self.policy.apart(self.counts["n"], everyone) & ~self.is_published
        exact = self.frame["quantity"].isin(_EXACT).to_numpy(dtype=bool)
        self.hide |= few & exact
        for name in ("n", "n_missing"):
            self.blank[name] |= few & ~exact

    def hide_differences(self) -> None:
        """Hide rows whose counts differ by a few from those of a row that matters more and stays.

        A mean number of events rises with later events of people who had one before, so that two means over
        equally many people with events may differ by the events of a few.
        """
        n, yes = self.counts["n"], self.counts["n_event"].copy()
        inverted = ((self.frame["quantity"] == "share_zero") | self._has_none()).to_numpy(dtype=bool)
        yes[inverted] = (n - yes)[inverted]
        is_mean = (self.frame["quantity"] == "mean_cumulative_number").to_numpy(dtype=bool)
        estimate = self.frame["estimate"].to_numpy(dtype="float64")
        for rows in self._courses():
            kept, means = np.zeros((0, 3)), dict[float, float]()
            for row in rows:
                here = np.array([yes[row], n[row] - yes[row], n[row]])
                rises = is_mean[row] and not np.isclose(
                    means.get(yes[row], estimate[row]), estimate[row], rtol=1e-12, atol=0.0, equal_nan=True
                )
                if rises or self._tells(row, here) or not self.policy.apart(here, kept).all():
                    (self.leave_out if self.is_curve[row] else self.hide)[row] = True
                elif not self.hide[row]:
                    kept = np.vstack([kept, here])
                    if is_mean[row]:
                        means.setdefault(yes[row], estimate[row])

    def _has_none(self) -> pd.Series:
        """Whether a row counts the people of a category without any event: new_jobs=0."""
        return self._is_counted() & self.frame["term"].str.endswith("=0")

    def _is_counted(self) -> pd.Series:
        """Whether a row counts the people who had so many events."""
        frame = self.frame
        return (frame["quantity"] == "count") & (frame["endpoint"] != "") & frame["term"].str.contains("=")

    def _tells(self, row: int, counts: Floats) -> bool:
        """Whether a curve point by itself shows few people; that nobody has it on day 0 is no news."""
        at_start = self.frame["time"].iloc[row] == 0.0 and counts[0] == 0.0
        return bool(self.is_curve[row] and self.policy.small(counts[2:] if at_start else counts).any())

    def _courses(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of one arm about one course of events, those that matter most first.

        Whatever accumulates is one course, since an outcome may be part of another. A status at a
        moment is a course of its own: between two moments people move both ways, and a difference
        counts nobody.
        """
        frame = self.frame
        wanted = self.is_arm & ~np.isnan(self.counts["n_event"]) & ~self.is_rounded & ~self.is_published
        wanted &= (frame["endpoint"] != "").to_numpy(dtype=bool)
        # That exactly so many had two events, say, is no stage of the course; what adds up is seen to.
        wanted &= (~self._is_counted() | self._has_none()).to_numpy(dtype=bool)
        described = self.results.endpoints
        builds_up = np.array([described.get(key, {}).get("cumulative", True) for key in frame["endpoint"]])
        course = frame[[*_PEOPLE, "arm"]].assign(
            died=frame["term"] == "died",
            endpoint=frame["endpoint"].where(~builds_up, ""),
            time=frame["time"].where(~builds_up, -1.0),
            rank=np.where(self.is_curve, 2, np.where(self.results.is_main, 0, 1)),
            late=-frame["time"] * np.where(frame["time_unit"] == "months", 30.4375, 1.0),
        )
        order = course.loc[wanted].sort_values(["rank", "late"], kind="stable")
        by = [*_PEOPLE, "arm", "died", "endpoint", "time"]
        for _, rows in order.groupby(by, sort=False, dropna=False):
            yield rows.index.to_numpy()

    # ---- what adds up

    def hide_with_few_workers(self) -> None:
        """Hide every amount of an arm at a horizon where the people who had any are too few."""
        few = self.small_cell & (self.frame["quantity"] == "share_zero").to_numpy(dtype=bool)
        keys = [*_PEOPLE, "analysis", "endpoint", "time", "arm"]
        self.hide |= _matching(self.frame[keys], self.frame.loc[few, keys])

    def hide_more_categories(self) -> None:
        """Hide a variable's next smallest category until what is hidden adds up to enough people.

        Categories are rows whose term reads ``variable=category``; they add up to the people of the arm.
        """
        frame = self.frame
        counted = frame["quantity"].isin(["count", "percentage"]) & frame["term"].str.contains("=")
        sizes = np.where(np.isnan(self.counts["n_event"]), frame["estimate"], self.counts["n_event"])
        by = [*_PEOPLE, "analysis", "endpoint", "quantity", "variable", "arm", "time", "setting"]
        rows = frame.assign(variable=_variable(frame)).loc[counted]
        for _, group in rows.groupby(by, sort=False, dropna=False):
            at = group.index.to_numpy()
            shown = sorted(at[~self.hide[at]], key=lambda row: (sizes[row] == 0, sizes[row]))
            for row in shown:
                hidden = at[self.hide[at]]
                total = np.array([sizes[hidden].sum()])
                if not len(hidden) or (len(hidden) > 1 and not self.policy.small(total)[0]):
                    break
                self.hide[row] = True

    def hide_averages(self) -> None:
        """Hide an average over months when a month of that arm is hidden."""
        keys = [*_PEOPLE, "analysis", "endpoint", "arm"]
        average = (self.frame["term"] == "average").to_numpy(dtype=bool)
        hidden = self.frame.loc[self.hide & self.is_arm, keys]
        self.hide |= average & self.is_arm & _matching(self.frame[keys], hidden)

    def hide_contrasts(self) -> None:
        """Hide a contrast with either of its arms, and leave its numbers of people blank with theirs."""
        hide = self._with_an_arm(self.hide)
        self.hide |= hide & ~self.is_published
        self.hide |= self._of_a_model_with_hidden_arms() & (self.frame["contrast"] != "").to_numpy(dtype=bool)
        self.blank["n"] |= self._with_an_arm(self.blank["n"])

    def _of_a_model_with_hidden_arms(self) -> Mask:
        """Whether a row without a month belongs to a model over months of which an arm is hidden."""
        keys = [*_PEOPLE, "analysis", "endpoint"]
        over_months = self.frame["time"].isna().to_numpy(dtype=bool) & self._is_mixed()
        return over_months & _matching(self.frame[keys], self.frame.loc[self.hide & self.is_arm, keys])

    def _is_mixed(self) -> Mask:
        """Whether a row comes from one model for all months."""
        mixed = [name for name, record in self.results.records.items() if record["estimator"] == "mixed"]
        return np.asarray(self.frame["analysis"].isin(mixed), dtype=bool)

    def _with_an_arm(self, marked: Mask) -> Mask:
        """Whether a contrast has an arm with a marked row: of its own setting, or where none is, of any."""
        place = [*_PEOPLE, "analysis", "endpoint", "variable", "time"]
        found = np.zeros(len(self.frame), dtype=bool)
        # A common effect over strata, or an adjusted one, is about the arms counted as it counts them.
        counted = self.frame["setting"].str.partition(";")[0]
        keyed = self.frame.assign(variable=_variable(self.frame), setting=counted)
        for contrast, pair in self.arms_of.items():
            mine = (keyed["contrast"] == contrast).to_numpy(dtype=bool)
            arms = keyed["arm"].isin(pair).to_numpy(dtype=bool) & ~self.is_curve & ~self.is_rounded
            in_setting = _matching(keyed[[*place, "setting"]], keyed.loc[arms, [*place, "setting"]])
            same = _matching(keyed[[*place, "setting"]], keyed.loc[arms & marked, [*place, "setting"]])
            anywhere = _matching(keyed[place], keyed.loc[arms & marked, place])
            found |= mine & (same | (~in_setting & anywhere))
        return found

    def blank_degrees_of_freedom(self) -> None:
        """Leave out what counts the workers of an arm where they are hidden, or differ by a few from others.

        A model over months has the same degrees of freedom in all its rows: they go with any arm of it.
        """
        hidden = self.hide & (self.frame["quantity"] == "share_zero").to_numpy(dtype=bool)
        keys = [*_PEOPLE, "analysis", "endpoint", "time", "arm"]
        marked = self.is_arm & _matching(self.frame[keys], self.frame.loc[hidden, keys])
        degrees = self.frame["df"].to_numpy(dtype="float64")
        has_degrees = self._about_an_outcome() & ~np.isnan(degrees)
        for _, rows in self._ordered(has_degrees & ~marked):
            kept = np.zeros(0)
            for row in rows:
                if self.policy.apart(degrees[row], kept).all():
                    kept = np.append(kept, degrees[row])
                else:
                    marked[row] = self.is_arm[row]
        model = [*_PEOPLE, "analysis", "endpoint"]
        in_model = _matching(self.frame[model], self.frame.loc[self.hide & self.is_arm, model])
        self.blank_df |= marked | self._with_an_arm(marked) | (has_degrees & self._is_mixed() & in_model)

    def blank_numbers_apart(self) -> None:
        """Leave out numbers of people that differ by a few from others shown of the same arms.

        An amount known of fewer people than another tells how many had it unrecorded, and an average over
        months how many were seen at some time but not at this one.
        """
        n, missing = self.counts["n"], self.counts["n_missing"]
        counted = self._about_an_outcome()
        for people, rows in self._ordered(counted & ~self.blank["n"] & ~np.isnan(n)):
            kept = np.array([people])
            for row in rows:
                if self.policy.apart(n[row], kept).all():
                    kept = np.append(kept, n[row])
                else:
                    self.blank["n"][row] = True
            lost = counted & ~np.isnan(missing) & (self._people() == people)
            for row in np.flatnonzero(lost):
                self.blank["n_missing"][row] |= not self.policy.apart(people - missing[row], kept).all()
        self.blank["n"] |= self._with_an_arm(self.blank["n"])
        self.blank["n_event"] |= self.blank["n"] & counted
        self.hide |= self.blank["n"] & counted & (self.frame["quantity"] == "count").to_numpy(dtype=bool)
        self._hide_traceable(counted & self.blank["n"] & self.is_arm)

    def _hide_traceable(self, wanted: Mask) -> None:
        """Hide whole percentages that only a few numbers of people of a small arm could have given."""
        exact = self.frame["estimate"].to_numpy(dtype="float64")
        people = self._people()
        for row in np.flatnonzero(wanted & self.frame["quantity"].isin(_EXACT).to_numpy(dtype=bool)):
            of = np.arange(people[row] // 2, people[row] + 1)
            shown = np.round(exact[row], 2)
            near = of[np.abs(np.round(shown * of) / of - shown) <= 0.005 + 1e-12]
            self.hide[row] |= not len(near) or np.ptp(near) < self.policy.minimum

    def _about_an_outcome(self) -> Mask:
        """Whether a row is shown and says something of the trial's own people with an outcome."""
        has_outcome = (self.frame["endpoint"] != "").to_numpy(dtype=bool)
        return has_outcome & ~self.hide & ~self.leave_out & ~self.is_published & ~self.is_rounded

    def _people(self) -> Floats:
        """Return how many were randomised to the arms that a row is about."""
        pairs = {name: sum(self.randomised[arm] for arm in pair) for name, pair in self.arms_of.items()}
        named = self.frame["arm"].where(self.is_arm, self.frame["contrast"])
        everyone = sum(self.randomised.values())
        people = named.map({**self.randomised, **pairs}).fillna(everyone)
        return np.asarray(people, dtype=np.float64)

    def _ordered(self, wanted: Mask) -> Iterator[tuple[float, NDArray[np.intp]]]:
        """Yield, per arm or pair, people randomised and the rows wanted: main ones, then late ones first."""
        everyone = "|".join(sorted(self.randomised))
        pairs = {name: "|".join(sorted(pair)) for name, pair in self.arms_of.items()}
        order = self.frame[_PEOPLE].assign(
            about=self.frame["arm"].where(self.is_arm, self.frame["contrast"].map(pairs).fillna(everyone)),
            people=self._people(),
            rank=np.where(self.is_curve, 2, np.where(self.results.is_main, 0, 1)),
            late=-self.frame["time"].fillna(0.0)
            * np.where(self.frame["time_unit"] == "months", 30.4375, 1.0),
            fewer=-self.counts["n"],
        )
        rows = order.loc[wanted].sort_values(["rank", "late", "fewer"], kind="stable")
        for _, group in rows.groupby([*_PEOPLE, "about"], sort=False, dropna=False):
            yield float(group["people"].iloc[0]), group.index.to_numpy()

    def blank_numbers_missing(self) -> None:
        """Leave out numbers of people lost that are small, or that differ by a few from others shown."""
        missing, blank = self.counts["n_missing"], self.blank["n_missing"]
        blank |= self.is_curve
        blank |= ~self.policy.apart(missing, np.zeros(len(missing)))
        keyed = self.is_arm & ~self.is_published & (self.frame["endpoint"] != "").to_numpy(dtype=bool)
        order = np.lexsort((-self.frame["time"].fillna(0.0), ~self.results.is_main))
        for arm in self.randomised:
            mine = keyed & (self.frame["arm"] == arm).to_numpy(dtype=bool) & ~self.hide
            kept = np.zeros(0)
            for row in order[mine[order] & ~blank[order] & ~np.isnan(missing[order])]:
                if self.policy.apart(missing[row], kept).all():
                    kept = np.append(kept, missing[row])
                else:
                    blank[row] = True
        blank |= self._with_an_arm(blank)
        blank &= ~self.is_published

    def round_flow(self) -> None:
        """Round how many stayed, or were seen, where an outcome is known for a few more or fewer.

        Those who completed and those whose outcome is known differ by those who died, say.
        """
        frame = self.frame
        by_arm = self.is_arm & ~self.hide & ~self.is_published
        flow = by_arm & (frame["setting"].isin(_FLOW) & (frame["term"] != "randomised")).to_numpy(dtype=bool)
        about = by_arm & (frame["endpoint"] != "").to_numpy(dtype=bool)
        for arm, people in self.randomised.items():
            mine = (frame["arm"] == arm).to_numpy(dtype=bool)
            shown = self.counts["n"][mine & about & ~self.blank["n"]]
            lost = self.counts["n_missing"][mine & about & ~self.blank["n_missing"]]
            known = np.unique(np.concatenate([shown, people - lost]))
            for row in np.flatnonzero(mine & flow):
                if not self.policy.apart(self.counts["n_event"][row], known).all():
                    self.is_rounded[row] = True


def _variable(frame: pd.DataFrame) -> pd.Series:
    """Return what a term is about: ``sex`` of ``sex=F``."""
    return frame["term"].str.partition("=")[0]


def _matching(keys: pd.DataFrame, wanted: pd.DataFrame) -> Mask:
    """Whether each row of keys is among those wanted; missing equals missing."""
    if wanted.empty:
        return np.zeros(len(keys), dtype=bool)
    marked = wanted.drop_duplicates().assign(_wanted=True)
    return np.asarray(keys.merge(marked, on=list(keys), how="left")["_wanted"].notna(), dtype=bool)
