"""An amount of successive periods: rates of the arms in each, and what they come to over the whole window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipseval import checks, words
from ipseval.endpoints.base import Endpoint
from ipseval.endpoints.study_days import randomised_on
from ipseval.errors import AnalysisError
from ipseval.estimate.amounts.amount_people import NOT_RECORDED, columns_of
from ipseval.estimate.amounts.amounts_by_model import BEYOND_WINDOW
from ipseval.estimate.repeated.assessments import AVERAGE, Assessments, Covariates, refuse_dependent
from ipseval.estimate.sheet import Sheet, contrast_label, remarks
from ipseval.results.setting import part_of, setting
from ipseval.stats.regression.canonical_models import separation
from ipseval.stats.repeated.log_linear_means import MarginalMeans, wald_f
from ipseval.stats.repeated.negative_binomial_mixed import NegativeBinomialMixed, negative_binomial_mixed
from ipseval.stats.repeated.period_rates import VARIANCES, PeriodRates, period_rates
from ipseval.trial import Trial

Floats = NDArray[np.float64]
Row = dict[str, Any]
Fit = PeriodRates | NegativeBinomialMixed

RATES = ("rate_ratio", "arm_by_month_test", "mean", "mean_difference", "mean_ratio")
QUANTITIES = {"gee": RATES, "negative_binomial": (*RATES, "random_intercept_sd", "overdispersion")}
METHODS = {"gee": "gee_rates", "negative_binomial": "negative_binomial_mixed"}

WHOLE_WINDOW = "whole_window"
DAYS_SEEN = words.text("note.days_seen")
DAYS_SEEN_COMPLETELY = words.text("note.days_seen_completely")
WHOLE_HOURS = words.text("note.whole_hours")
WEEKS_AS_DAYS = words.text("note.weeks_as_days")
EXPECTS_OTHERWISE = words.text("note.expects_otherwise")
NOT_THIS_MODEL = words.text("note.not_this_model")

#: What the amounts of consecutive periods add up to; others are of one job, or of a month by itself.
_ADD_UP = ("days_worked", "weeks_worked", "hours_worked", "earnings")
#: How many counted things one unit is: days have no fractions, and hours are rounded.
_COUNTED = {"days": 1.0, "weeks": 7.0, "hours": 1.0}
_DAYS = {"days": 1.0, "weeks": 7.0}
#: With fewer people who had any in an arm, a rate is a matter of one or two of them.
_FEWEST = 5
#: What the model expects over what was seen: beyond the first it is said, beyond the second it is refused.
_OTHERWISE, _FAR_OTHERWISE = 1.25, 2.0


def refuse_other_amounts(endpoint: Endpoint, model: str, variance: str) -> None:
    """Refuse an amount that has no parts by period, or is no count where the model needs one; a variance."""
    if model == "gee":
        checks.one_of(variance, VARIANCES, "variance")
    if endpoint.name not in _ADD_UP:
        raise AnalysisError(
            f"{endpoint.key} does not add up over successive periods. Use ips.days_worked(by=[6, 12, 18]), "
            f"ips.hours_worked or ips.earnings; or ips.amounts, a window at a time."
        )
    if model == "negative_binomial" and endpoint.unit not in _COUNTED:
        raise AnalysisError(
            f"{endpoint.key} is an amount of money, and model='negative_binomial' is one of counts. Use "
            f"model='gee', which takes any amount; or count days or hours."
        )


@dataclass(frozen=True)
class Periods:
    """What each person had in each period, in the days of it that were seen.

    Attributes
    ----------
    panel : Assessments
        A row per person and period of which anything was seen; ``months`` are the periods' ends.
    exposure : (rows,) array
        Days seen.
    length : (people, periods) array
        Days of each period, for everyone randomised.
    is_seen, is_whole : (people, periods) arrays of bool
        Whether anything, or everything, of a period was seen.
    amount : (people, periods) array
        nan where nothing was seen.
    is_unrecorded : bool
        Whether an amount was not recorded although the person was followed.
    """

    panel: Assessments
    exposure: Floats
    length: Floats
    is_seen: NDArray[np.bool_]
    is_whole: NDArray[np.bool_]
    amount: Floats
    is_unrecorded: bool

    @property
    def begins(self) -> tuple[float, ...]:
        """The month at which each period begins."""
        return (0.0, *self.panel.months[:-1])

    @property
    def names(self) -> tuple[str, ...]:
        """What each column of the design holds."""
        panel = self.panel
        spans = [f"months {a:g} to {b:g}" for a, b in zip(self.begins, panel.months, strict=True)]
        effects = [f"{span}, {arm}" for arm in panel.arms[1:] for span in spans]
        return (*spans, *effects, *panel.covariates.labels)

    def keys(self, place: int | None) -> Row:
        """Return the key columns of a period, or of the whole window."""
        if place is None:
            return {**self.span(0.0, self.panel.months[-1]), "term": WHOLE_WINDOW}
        return self.span(self.begins[place], self.panel.months[place])

    @staticmethod
    def span(begin: float, end: float) -> Row:
        """Return the key columns of a time."""
        return {"time_from": begin, "time": end, "time_unit": "months"}

    def counted(self, arm: NDArray[np.intp], place: int | None, *codes: int) -> dict[str, int]:
        """Return people seen, those with any, and those not seen in full; at a period, or ever."""
        rows = np.isin(arm, codes)
        at = slice(None) if place is None else slice(place, place + 1)
        seen, amount = self.is_seen[rows, at], self.amount[rows, at]
        return {
            "n": int(seen.any(axis=1).sum()),
            "n_event": int((np.where(seen, amount, 0.0) > 0.0).any(axis=1).sum()),
            "n_missing": int((~self.is_whole[rows, at]).any(axis=1).sum()),
        }


def periods(trial: Trial, endpoint: Endpoint, outcome: pd.DataFrame, covariates: Covariates) -> Periods:
    """Return the increments of a cumulative amount between its horizons, and the days they were seen in.

    Who was followed to the end of a period, or died, was seen in all of it.
    """

    def by_horizon(column: str, kind: type) -> NDArray[Any]:
        at = [outcome.loc[outcome["month"] == month, column] for month in endpoint.months]
        return np.column_stack([values.to_numpy(dtype=kind) for values in at])

    begin, ends = _calendar(trial, endpoint)
    total, is_whole = by_horizon("value", float), by_horizon("is_complete", bool)
    reached = np.where(is_whole, ends, np.minimum(by_horizon("observed_until", float) + 1.0, ends))
    days = np.diff(np.column_stack([begin, reached]), axis=1)
    amount = np.diff(np.column_stack([np.zeros(len(total)), total]), axis=1)
    is_seen = (days > 0.0) & ~np.isnan(amount)
    person, month = np.nonzero(is_seen)
    arm = np.asarray(trial.arm.codes, dtype=np.intp)
    # In the order of arms, so that sums come out alike however the rows of a file are ordered.
    order = np.lexsort((month, person, arm[person]))
    person, month = person[order], month[order]
    panel = Assessments(
        y=amount[person, month],
        person=person,
        month=month,
        arm=arm[person],
        months=endpoint.months,
        arms=trial.design.arms,
        covariates=covariates,
    )
    return Periods(
        panel=panel,
        exposure=days[person, month],
        length=np.diff(np.column_stack([begin, ends]), axis=1),
        is_seen=is_seen,
        is_whole=is_whole & is_seen,
        amount=np.where(is_seen, amount, np.nan),
        is_unrecorded=bool((np.isnan(amount) & (days > 0.0)).any()),
    )


def _calendar(trial: Trial, endpoint: Endpoint) -> tuple[Floats, Floats]:
    """Return the study day on which each person's window begins, and those before which its periods end."""
    people = len(trial)
    if endpoint.parameters.get("source", "jobs") == "jobs":
        days = np.array([trial.design.horizon_day(month) for month in endpoint.months], dtype=np.float64)
        return np.zeros(people), np.tile(days, (people, 1))
    # Month k of a register is the calendar month k months after that of randomisation.
    day_0 = randomised_on(trial)[:, None]
    first = day_0.astype("datetime64[M]") + 1 + np.array([0, *map(int, endpoint.months)])
    edges = (first.astype("datetime64[D]") - day_0).astype(np.float64)
    return edges[:, 0], edges[:, 1:]


def write_repeated_counts(
    sheet: Sheet, seen: Periods, model: str, *, points: int = 25, variance: str = "mancl_derouen"
) -> None:
    """Fit the model and write its rows, or rows with the reason why there are none."""
    names = seen.panel.covariates.names
    chosen = "" if variance == VARIANCES[0] else variance
    keys = {"method": METHODS[model], "setting": setting(adjust=names, variance=chosen)}
    said = [NOT_RECORDED] if seen.is_unrecorded else []
    if not seen.is_whole.all():
        said.append(DAYS_SEEN_COMPLETELY if model == "gee" else DAYS_SEEN)
    with sheet.attempt(*QUANTITIES[model], **keys):
        _refuse_few(seen)
        fit, unit, more = _fit(sheet, seen, model, points, variance)
        found = _means(seen, fit, unit)
        row = {**keys, **remarks(*said, *more, *_beyond(sheet, seen, found))}
        writer = _Writer(sheet, seen, fit, row)
        writer.ratios()
        writer.means(found)
        if isinstance(fit, NegativeBinomialMixed):
            writer.spread(fit)
        record = {"points": points} if model == "negative_binomial" else {"variance": variance}
        sheet.model = {"words": METHODS[model], "adjusted": list(names), **record}


def _refuse_few(seen: Periods) -> None:
    panel = seen.panel
    for code, arm in enumerate(panel.arms):
        mine = panel.arm == code
        if (have := len(np.unique(panel.person[mine & (panel.y > 0)]))) < _FEWEST:
            raise AnalysisError(
                f"Only {have} of {len(np.unique(panel.person[mine]))} people in the {arm} arm have any: at "
                f"least {_FEWEST} are needed in each arm. Report the difference in means (ips.amounts)"
            )


def _fit(sheet: Sheet, seen: Periods, model: str, points: int, variance: str) -> tuple[Fit, float, list[str]]:
    """Return the fit, how many counted things a unit of the amount is, and what must be said of either."""
    panel = seen.panel
    try:
        _refuse_separated(panel)
        refuse_dependent(panel.design, seen.names)
        if model == "gee":
            rates = period_rates(
                panel.y,
                panel.design,
                panel.person,
                exposure=seen.exposure,
                variance=variance,
                names=seen.names,
            )
            _refuse_without_df(rates)
            return rates, 1.0, []
        assert sheet.endpoint is not None
        unit = _COUNTED[sheet.endpoint.unit]
        counts = np.rint(panel.y * unit)
        said = [WEEKS_AS_DAYS] if unit != 1.0 else []
        said += [WHOLE_HOURS] if unit == 1.0 and not np.allclose(counts, panel.y, rtol=0, atol=1e-9) else []
        fit = negative_binomial_mixed(
            counts, panel.design, panel.person, exposure=seen.exposure, points=points, names=seen.names
        )
    except AnalysisError as refusal:
        raise AnalysisError(_in_words(str(refusal))) from None
    if not fit.converged:
        raise AnalysisError(f"{fit.note} {_OTHER_MODEL}")
    _refuse_without_df(fit)
    return fit, unit, [*said, *_as_expected(fit)]


def _refuse_separated(panel: Assessments) -> None:
    """Refuse levels at which nobody had any, before a climb in which many of them run away at once."""
    covariates = panel.covariates
    nobody = [
        label
        for label, column in zip(covariates.labels, covariates.columns[panel.person].T, strict=True)
        if len(np.unique(column)) == 2 and not panel.y[column == column.max()].any()
    ]
    if nobody:
        raise separation("an outcome of 0", nobody, _OTHERWISE_KERNEL)


_OTHERWISE_KERNEL = "report the difference of proportions"
_OTHER_MODEL = "Use model='gee', which says the same of the arms without a distribution of people's levels"


def _in_words(refusal: str) -> str:
    """Return a refusal of the kernel with a remedy that there is."""
    otherwise = f"or {_OTHERWISE_KERNEL}", "or compare the whole window by ips.amounts"
    named = refusal.replace("; counted from 0", "").replace(*otherwise).rstrip(".")
    return named.replace("an outcome of 0", "an amount of 0")


def _refuse_without_df(fit: Fit) -> None:
    if np.isnan(fit.df):
        raise AnalysisError(
            f"{fit.n_with_any} people have any, and the model has {fit.coefficients.size} coefficients: "
            f"nothing is left to tell how sure they are. Ask for fewer periods, or adjust for less"
        )


def _as_expected(fit: NegativeBinomialMixed) -> list[str]:
    """Return what must be said of a model that expects more or less than was seen, or refuse it."""
    apart = max(fit.expected_over_seen, 1.0 / fit.expected_over_seen)
    if apart > _FAR_OTHERWISE:
        raise AnalysisError(NOT_THIS_MODEL)  # without numbers, so that public files may say it
    return [fit.note.rstrip("."), EXPECTS_OTHERWISE if apart > _OTHERWISE else ""]


def _means(seen: Periods, fit: Fit, unit: float) -> MarginalMeans:
    """Return means of everyone as if in each arm, per period and over the whole window, arm by arm."""
    panel = seen.panel
    n_periods = len(panel.months)
    rows, target, time = [], [], []
    for code in range(len(panel.arms)):
        for place in range(n_periods):
            rows.append(panel.everyone(place, code))
            target.append(np.full(len(rows[-1]), code * n_periods + place))
            time.append(seen.length[:, place] / unit)
    found = fit.means(np.vstack(rows), np.concatenate(target), np.concatenate(time))
    return found.with_totals(np.kron(np.eye(len(panel.arms)), np.ones(n_periods)))


def _beyond(sheet: Sheet, seen: Periods, found: MarginalMeans) -> list[str]:
    """Return what must be said of a mean above what the period holds, in an amount of days."""
    assert sheet.endpoint is not None
    if sheet.endpoint.unit not in _DAYS:
        return []
    holds = np.tile(seen.length.max(axis=0) / _DAYS[sheet.endpoint.unit], len(seen.panel.arms))
    return [BEYOND_WINDOW] if (found.mean[: holds.size] > holds).any() else []


@dataclass(frozen=True)
class _Writer:
    """The rows of one fit on their way to the sheet."""

    sheet: Sheet
    seen: Periods
    fit: Fit
    row: Row

    @property
    def arm(self) -> NDArray[np.intp]:
        return np.asarray(self.sheet.trial.arm.codes, dtype=np.intp)

    def _base(self, place: int | None, *codes: int) -> Row:
        return {**self.row, **self.seen.keys(place), **self.seen.counted(self.arm, place, *codes)}

    def ratios(self) -> None:
        """Write rate ratios per period and their average on the log scale, and the test that they are one."""
        panel, level = self.seen.panel, self.sheet.conf_level
        for code, pair in enumerate(self.sheet.trial.design.comparisons, start=1):
            contrast = {"contrast": contrast_label(*pair)}
            effects = np.array([panel.effect(place, code) for place in range(len(panel.months))])
            average = {**self.row, **self.seen.counted(self.arm, None, 0, code), "term": AVERAGE}
            bases = [self._base(place, 0, code) for place in range(len(effects))]
            for base, weights in zip([*bases, average], [*effects, effects.mean(axis=0)], strict=True):
                ratio = self._columns(self.fit.log_contrast(weights, conf_level=level))
                self.sheet.add("rate_ratio", **{**base, **contrast, **ratio, "unit": "ratio"})
            self._same_ratio(code, {**average, **contrast, "term": ""})

    def _same_ratio(self, code: int, base: Row) -> None:
        covariance = self.fit.covariance
        size = self.fit.coefficients.size
        changes = self.seen.panel.changes(code)
        statistic, numerator, df, p_value = wald_f(
            changes, self.fit.coefficients, covariance[:size, :size], self.fit.df
        )
        said = {
            "adjust": self.seen.panel.covariates.names,
            "variance": part_of(self.row["setting"], "variance"),
        }
        base |= {"setting": setting(**said, numerator_df=str(numerator))}
        self.sheet.add("arm_by_month_test", statistic=statistic, df=df, p_value=p_value, **base)

    def means(self, found: MarginalMeans) -> None:
        """Write means of the arms, per period and over the whole window, and their contrasts."""
        sheet, n_periods = self.sheet, len(self.seen.panel.months)
        n_arms, level = len(self.seen.panel.arms), sheet.conf_level
        low, high = found.limits(level)
        assert sheet.endpoint is not None
        unit = sheet.endpoint.describe(sheet.trial.design)["unit"]
        for place in (*range(n_periods), None):

            def target(code: int, place: int | None = place) -> int:
                return n_arms * n_periods + code if place is None else code * n_periods + place

            for code, arm in enumerate(self.seen.panel.arms):
                at = target(code)
                numbers = {"estimate": found.mean[at], "std_error": found.std_error[at], "df": found.df}
                numbers |= {"conf_low": low[at], "conf_high": high[at], "unit": unit}
                sheet.add("mean", **numbers, **self._base(place, code), arm=arm)
            for code, pair in enumerate(sheet.trial.design.comparisons, start=1):
                base = {**self._base(place, 0, code), "contrast": contrast_label(*pair)}
                difference = found.difference(target(code), target(0), conf_level=level)
                sheet.add("mean_difference", **{**base, **self._columns(difference), "unit": unit})
                if place is None:  # of a period it is the rate ratio
                    ratio = found.ratio(target(code), target(0), conf_level=level)
                    sheet.add("mean_ratio", **{**base, **self._columns(ratio), "unit": "ratio"})

    def spread(self, fit: NegativeBinomialMixed) -> None:
        """Write how far people's levels lie apart, and what varies beyond them."""
        everyone = range(len(self.seen.panel.arms))
        base = {**self.row, **self.seen.counted(self.arm, None, *everyone)}
        for quantity, value, limits, unit in (
            ("random_intercept_sd", fit.random_intercept_sd, fit.sd_limits, "log_rate"),
            ("overdispersion", fit.overdispersion, fit.overdispersion_limits, ""),
        ):
            low, high = limits(self.sheet.conf_level)
            self.sheet.add(quantity, estimate=value, conf_low=low, conf_high=high, unit=unit, **base)

    def _columns(self, found: Any) -> Row:
        return {name: value for name, value in columns_of(found).items() if name != "note"}
