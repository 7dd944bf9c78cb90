"""Tables of estimates: all of one analysis, a series over months, and the same by another way."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ipseval import words
from ipseval.render.tables.cells import NONE, Writer, capital, rows_of
from ipseval.render.tables.model import Column, Line, Marks, Table
from ipseval.results import QUANTITIES, Results
from ipseval.results.sentences import unit_of
from ipseval.results.setting import part_of, says_only
from ipseval.results.vocabulary import AT_RISK

#: The contrast that stands beside each quantity of an arm in a table with an arm per column.
BESIDE = {
    "proportion": "risk_difference",
    "mean": "mean_difference",
    "population_averaged_probability": "population_averaged_difference",
    "area_under_curve": "area_under_curve_difference",
    "least_squares_mean": "least_squares_mean_difference",
}
_ORDER = {name: place for place, name in enumerate(QUANTITIES)}
#: Said better by another row: the odds ratio is its exponential.
_LEFT_OUT = (
    "conditional_log_odds_ratio",
    "conditional_log_hazard_ratio",
    "population_averaged_log_odds_ratio",
    *AT_RISK,
)


def estimates_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return the main estimates of an analysis, a line each, arms above their contrast.

    Parameters
    ----------
    results : Results
    analysis : str
    caption : str
    lang : {"en", "nl", "fr", "de"}

    Returns
    -------
    Table
        Lines are grouped by month. Columns: estimate with its unit, interval, p value (where there
        is any), events of people, people with an unknown outcome, and method. Points of a curve and
        numbers at risk are left to their own displays.
    """
    write = Writer(results, lang)
    main = results.main.select(analysis=analysis).frame
    is_curve = (main["time_unit"] == "days") | main["quantity"].isin(_LEFT_OUT)
    main = main.loc[~is_curve]
    columns: list[tuple[Column, Callable[[pd.Series], str]]] = [
        (Column(write.say("column.estimate")), write.estimate),
        (Column(write.say("column.interval", level=write.level(main))), write.interval),
        (Column("p"), write.p_value),
        (Column(write.say("column.people")), write.events),
        (Column(write.say("column.unknown")), write.unknown),
        (Column(write.say("column.method"), is_text=True), write.method),
    ]
    rows = _in_order(main, write)
    # A method that all rows share is said once, below; a column without any p value is left out.
    methods = {write.method(row) for row in rows}
    left_out = [columns[2]] if main["p_value"].isna().all() else []
    left_out += [columns[-1]] if len(methods) == 1 else []
    columns = [column for column in columns if column not in left_out]
    marks, lines, before = Marks(), [], ""
    for row in rows:
        if (moment := write.moment(row)) != before:
            lines.append(Line(moment))
            before = moment
        cells = tuple(written(row) for _, written in columns)
        lines.append(Line(write.about(row), cells, marks.of(*write.notes(row))))
    notes = marks.notes + write.closing(main)
    if len(methods) == 1:
        notes += (("", write.say("table.method", method=methods.pop())),)
    return Table(
        caption, write.say("column.what"), tuple(column for column, _ in columns), tuple(lines), notes
    )


def _in_order(frame: pd.DataFrame, write: Writer) -> list[pd.Series]:
    """Return rows by month, then quantity with its difference beside it, then arms before contrasts."""
    arms = {arm: place for place, arm in enumerate(write.arms)}

    def place(row: pd.Series) -> tuple[float, int, int, int, str]:
        base = str(row["quantity"]).removesuffix("_difference")
        month = float("inf") if pd.isna(row["time"]) else float(row["time"])
        quantity = _ORDER.get(base, _ORDER[row["quantity"]])
        return month, quantity, _ORDER[row["quantity"]], arms.get(row["arm"], len(arms)), row["contrast"]

    return sorted(rows_of(frame), key=place)


def series_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return the main estimates over many months: a line per month, a column per arm."""
    write = Writer(results, lang)
    main = results.main.select(analysis=analysis).frame

    def month(row: pd.Series) -> str:
        return write.number(row["time"])

    return _side_by_side(
        write, main.sort_values("time", kind="stable"), "time", month, caption, "column.month"
    )


def unknown_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return the estimates at the longest horizon, a line per way of counting unknown outcomes."""
    write = Writer(results, lang)
    frame = results.select(analysis=analysis).frame
    frame = frame.loc[says_only(frame["setting"], "missing") & (frame["time"] == frame["time"].max())]
    main = results.records[analysis]["main"]
    frame = frame.loc[_by_first_method(frame, main.get("method", {}))]
    stated = {rule for quantity, rule in main.get("setting", {}).items() if quantity in BESIDE}

    def way(row: pd.Series) -> str:
        counted = write.how_counted(row["setting"])
        return write.say("table.main_rule", rule=counted) if row["setting"] in stated else counted

    return _side_by_side(write, frame, "setting", way, caption, "column.way")


def _by_first_method(frame: pd.DataFrame, main: dict[str, str]) -> pd.Series:
    """Whether a row is by the main method of its quantity, or by the only one of its setting."""
    wanted = pd.Series([main.get(name, "") for name in frame["quantity"]], frame.index, dtype="string")
    chosen = (wanted == "") | (frame["method"] == wanted)
    alone = frame.groupby(["setting", "quantity", "arm", "contrast"])["method"].transform("nunique") == 1
    return chosen | alone


def methods_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return arms and difference at the longest horizon, a line per interval method of each."""
    write = Writer(results, lang)
    frame = results.select(analysis=analysis).frame
    stated = {
        part_of(text, "missing") for text in results.records[analysis]["main"].get("setting", {}).values()
    }
    counted = frame["setting"].map(lambda text: part_of(text, "missing"))
    frame = frame.loc[(frame["time"] == frame["time"].max()) & counted.isin(stated)]
    frame = frame.loc[frame["conf_low"].notna() | (frame["status"] != "ok")]
    lines: list[Line] = []
    before = ""
    for row in _in_order(frame, write):
        if (heading := write.about(row)) != before:
            lines.append(Line(heading))
            before = heading
        lines.append(Line(write.method_in_full(row), (write.estimate(row), write.interval(row))))
    columns = (
        Column(write.say("column.estimate")),
        Column(write.say("column.interval", level=write.level(frame))),
    )
    return Table(caption, write.say("column.method"), columns, tuple(lines), write.closing(frame))


def at_risk_table(results: Results, analysis: str, caption: str, *, lang: str = "en") -> Table:
    """Return numbers at risk, with the event and lost so far: a line per arm, a column per month."""
    write = Writer(results, lang)
    frame = results.select(analysis=analysis, quantity=list(AT_RISK)).frame
    months = sorted(set(frame["time"]))
    lines = []
    for quantity in AT_RISK:
        rows = frame.loc[frame["quantity"] == quantity]
        if len(rows):
            lines.append(Line(write.named("quantity", quantity)))
        for arm in write.arms:
            of_arm = {row["time"]: write.count(row) for row in rows_of(rows.loc[rows["arm"] == arm])}
            if of_arm:
                lines.append(Line(write.arm(arm), tuple(of_arm.get(month, NONE) for month in months)))
    columns = _months(months, write)
    return Table(caption, write.say("column.month"), columns, tuple(lines), write.closing(frame))


def _months(months: list[float], write: Writer) -> tuple[Column, ...]:
    return tuple(Column(write.number(month)) for month in months)


def _side_by_side(
    write: Writer,
    frame: pd.DataFrame,
    by: str,
    heading: Callable[[pd.Series], str],
    caption: str,
    stub: str,
) -> Table:
    """Return a line per value of one column: arms side by side, then their difference and interval."""
    frame = frame.loc[frame["quantity"].isin([*BESIDE, *BESIDE.values()])]
    columns = [Column(capital(write.arm(arm))) for arm in write.arms]
    unit = _unit_of_differences(write, frame)
    for contrast in write.contrasts:
        columns.append(Column(f"{capital(write.direction(contrast))}{unit}"))
        columns.append(Column(write.say("column.interval", level=write.level(frame))))
    columns.append(Column(write.say("column.unknown")))
    marks, lines = Marks(), []
    for _, rows in frame.groupby(by, sort=False):
        of_arm = {row["arm"]: row for row in rows_of(rows.loc[rows["arm"] != ""])}
        of_contrast = {row["contrast"]: row for row in rows_of(rows.loc[rows["contrast"] != ""])}
        cells = [_with_events(of_arm[arm], write) if arm in of_arm else NONE for arm in write.arms]
        for contrast in write.contrasts:
            row = of_contrast.get(contrast)
            cells += [NONE, NONE] if row is None else [write.bare(row), write.interval(row)]
        everyone = next(iter(of_contrast.values()), None)
        if everyone is None:  # no contrast was made; both arms together lack as many as each of them
            everyone = next(iter(of_arm.values())).copy()
            everyone["n_missing"] = sum((row["n_missing"] for row in of_arm.values()), start=0)
        cells.append(write.unknown(everyone))
        said = _beside(write, of_arm, of_contrast)
        lines.append(Line(heading(everyone), tuple(cells), marks.of(*said)))
    return Table(caption, write.say(stub), tuple(columns), tuple(lines), marks.notes + write.closing(frame))


def _beside(write: Writer, of_arm: dict[str, pd.Series], of_contrast: dict[str, pd.Series]) -> list[str]:
    """Return what must be said of a line: of its contrast, or of its arms where that is not shown."""
    shown = [row for row in of_contrast.values() if not write.is_hidden(row)][:1] or list(of_arm.values())
    said = [note for row in shown for note in write.notes(row)]
    settings = {part_of(row["setting"], "missing") for row in of_arm.values()}
    if not of_contrast and "censored" in settings:
        said.append(capital(words.text("note.censored", write.lang)))
    return list(dict.fromkeys(said))


def _unit_of_differences(write: Writer, frame: pd.DataFrame) -> str:
    """Return the unit that all differences share, for the heading of their column."""
    differences = frame.loc[frame["contrast"] != ""]
    if differences.empty:
        return ""
    row = differences.iloc[0]
    is_points = QUANTITIES[row["quantity"]].scale == "difference"
    unit = words.text("unit.percentage_points", write.lang) if is_points else unit_of(row, write.lang)
    return f" ({unit})" if unit else ""


def _with_events(row: pd.Series, write: Writer) -> str:
    """Return "44.3% (31 of 70)"; the counts only where the estimate is their ratio."""
    is_ratio = row["quantity"] == "proportion" and row["method"] != "aalen_johansen"
    if not is_ratio or write.is_hidden(row) or pd.isna(row["n_event"]):
        return write.estimate(row)
    return f"{write.estimate(row)} ({write.events(row)})"
