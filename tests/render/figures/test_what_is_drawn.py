"""What stands on the figures equals the rows they are drawn from."""

from __future__ import annotations

import numpy as np
import pytest

import ipseval as ips
from ipseval import words
from ipseval.errors import AnalysisError
from ipseval.render.figures import plot, style
from ipseval.render.figures.curves import points
from ipseval.results import PublicResults, Results
from tests.render.figures.reading import (
    artist,
    artists,
    boxes,
    rate_rows,
    results_of,
    texts,
    words_of,
)

Found = dict[str, Results]


def curve_rows(results: Results, arm: str, term: str = "event"):
    found = results.select(quantity="cumulative_incidence", time_unit="days", arm=arm, term=term)
    rows = found.select(method="aalen_johansen").frame
    return rows.sort_values("time")


@pytest.mark.parametrize("arm", ["IPS", "usual"])
def test_curves_step_where_the_rows_say_and_hold_their_value(found: Found, arm: str) -> None:
    line = artist(plot(found["survival"], inside=True), f"curve {arm}")
    rows = curve_rows(found["survival"], arm)
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(line.get_xdata(), rows["time"].to_numpy() / 30.4375)
    np.testing.assert_array_equal(line.get_ydata(), rows["estimate"].to_numpy())


@pytest.mark.parametrize("arm", ["IPS", "usual"])
def test_public_curves_are_straight_between_the_points_left_and_those_of_tables(
    found: Found, arm: str
) -> None:
    public = ips.protect(found["survival"])
    line = artist(plot(public), f"curve {arm}")
    assert line.get_drawstyle() == "default"
    drawn = dict(zip(np.round(line.get_xdata(), 6), line.get_ydata(), strict=True))
    points = curve_rows(public, arm)
    table = public.select(quantity="cumulative_incidence", time_unit="months", arm=arm).frame
    table = table.loc[table["status"] == "ok"]
    assert len(table)
    stated = {
        **dict(zip((points["time"] / 30.4375).round(6), points["estimate"], strict=True)),
        **dict(zip(table["time"], table["estimate"], strict=True)),
    }
    assert drawn == stated
    marked = np.asarray(line.get_ydata())[line.get_markevery()]
    assert list(marked) == sorted({value for value in stated.values() if value > 0})


def test_bands_step_with_the_limits_of_the_rows(found: Found) -> None:
    drawing = plot(found["survival"], inside=True)
    rows = curve_rows(found["survival"], "IPS")
    rows = rows.loc[rows["conf_low"].notna()]
    corners = np.vstack([path.vertices for path in artist(drawing, "interval IPS").get_paths()])
    for _, row in rows.iterrows():
        here = corners[np.isclose(corners[:, 0], row["time"] / 30.4375), 1]
        for limit in ("conf_low", "conf_high"):
            assert np.isclose(here, row[limit]).any()


@pytest.mark.parametrize("arm", ["IPS", "usual"])
def test_mean_numbers_of_jobs_step_where_the_rows_say(found: Found, arm: str) -> None:
    drawing = plot(found["recurrent"], inside=True)
    line = artist(drawing, f"curve {arm}")
    rows = found["recurrent"].select(quantity="mean_cumulative_number", time_unit="days", arm=arm).frame
    rows = rows.sort_values("time")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(line.get_xdata(), rows["time"].to_numpy() / 30.4375)
    np.testing.assert_array_equal(line.get_ydata(), rows["estimate"].to_numpy())
    last = rows.iloc[-1]
    assert f"{last['estimate']:.2f}" in words_of(drawing)
    assert f"{last['conf_low']:.2f} to {last['conf_high']:.2f}" in drawing.alt
    assert "Mean cumulative number of new jobs" in words_of(drawing)


def test_public_means_rise_by_five_people_or_more_between_two_points(found: Found) -> None:
    public = ips.protect(found["recurrent"])
    for arm in ("IPS", "usual"):
        line = artist(plot(public), f"curve {arm}")
        rows = public.select(quantity="mean_cumulative_number", arm=arm).frame
        rows = rows.loc[rows["status"].isin(["ok", "warned"])]
        assert set(line.get_ydata()) == set(rows["estimate"])
        people = rows.groupby("estimate")["n_event"].first()
        assert people.diff().dropna().ge(5).all()


def test_months_of_30_days_are_drawn_as_such(found: Found) -> None:
    survival = found["survival"]
    endpoints = {name: {**said, "month_rule": "30_days"} for name, said in survival.endpoints.items()}
    changed = Results(survival.frame, survival.records, endpoints, survival.provenance)
    line = artist(plot(changed, inside=True), "curve IPS")
    np.testing.assert_allclose(line.get_xdata(), curve_rows(survival, "IPS")["time"].to_numpy() / 30)


def test_the_number_at_risk_stands_under_its_tick(found: Found) -> None:
    drawing = plot(found["survival"], inside=True, width_mm=85)
    placed = boxes(drawing)
    (axes,) = drawing.figure.axes
    rows = found["survival"].select(quantity="number_at_risk").frame
    bottom = axes.get_window_extent().y0
    for month in axes.get_xticks():
        tick = axes.transData.transform((month, 0))[0]
        below = [
            text
            for text, box in placed
            if text.isdigit() and box.y1 < bottom - 30 and abs((box.x0 + box.x1) / 2 - tick) < 0.75
        ]
        expected = [
            f"{rows.loc[(rows['arm'] == arm) & (rows['time'] == month), 'estimate'].iloc[0]:.0f}"
            for arm in ("IPS", "usual")
        ]
        assert below == expected


def test_public_numbers_at_risk_are_rounded_and_say_so(found: Found) -> None:
    drawing = plot(found["survival"])
    shown = [int(text.get_text()) for text in drawing.figure.texts if text.get_text().isdigit()]
    assert len(shown) == 12
    assert all(number % 5 == 0 for number in shown)
    read = words_of(drawing)
    assert words.text("figure.number_at_risk_rounded", "en", minimum=5) in read
    assert words.text("figure.note.points", "en", minimum=5) in read
    assert words.text("figure.note.internal", "en") not in read


def test_death_is_drawn_only_when_asked(found: Found) -> None:
    assert artists(plot(found["survival"], inside=True), "died") == []
    drawing = plot(found["survival"], inside=True, show_died=True)
    rows = curve_rows(found["survival"], "usual", "died")
    line = artist(drawing, "died usual")
    np.testing.assert_array_equal(line.get_ydata(), rows["estimate"].to_numpy())
    assert words.text("figure.note.died", "en") in words_of(drawing)


@pytest.mark.parametrize("figure", ["rates", "unknowns", "methods"])
def test_marks_and_intervals_equal_the_rows(found: Found, figure: str) -> None:
    drawing = plot(found["rates"], figure=figure, inside=True)
    rows = found["rates"].main.frame if figure == "rates" else found["rates"].frame
    if figure == "unknowns":
        rows = rows.loc[~rows["setting"].str.contains("; ")]
        rows = rows.drop_duplicates(["time", "quantity", "setting", "arm", "contrast"])
    if figure == "methods":
        rows = rows.loc[rows["setting"] == "missing=as_not_employed"]
    if figure != "rates":
        rows = rows.loc[rows["time"] == 30]
    rows = rows.loc[rows["quantity"].isin(["proportion", "risk_difference"])]
    drawn = sorted(float(line.get_xdata()[0]) for line in artists(drawing, "estimate "))
    np.testing.assert_allclose(drawn, np.sort(100 * rows["estimate"].to_numpy()))
    limits = sorted(
        tuple(np.asarray(line.get_xdata(), dtype=float)) for line in artists(drawing, "interval ")
    )
    expected = sorted(zip(100 * rows["conf_low"], 100 * rows["conf_high"], strict=True))
    np.testing.assert_allclose(limits, expected)


def test_no_two_intervals_share_a_height(found: Found) -> None:
    for axes in plot(found["rates"], figure="unknowns", inside=True).figure.axes:
        heights = [line.get_ydata()[0] for line in axes.lines if str(line.get_label()).startswith("estimate")]
        assert np.diff(sorted(heights)).min() > 3  # mm


def test_the_numbers_stand_beside_their_marks(found: Found) -> None:
    drawing = plot(found["rates"], inside=True)
    read = [text.get_text() for text in texts(drawing)]
    row = found["rates"].main.one(quantity="risk_difference", time=30)
    limits = words.interval(row["conf_low"], row["conf_high"], "en", scale=100)
    assert f"+19.6 ({limits})" in read
    assert "44.3 (33.2 to 55.9)" in read


def test_amounts_are_drawn_in_their_unit(found: Found) -> None:
    drawing = plot(found["amounts"], inside=True)
    rows = found["amounts"].main.frame
    rows = rows.loc[rows["quantity"].isin(["mean", "mean_difference"])]
    drawn = sorted(float(line.get_xdata()[0]) for line in artists(drawing, "estimate "))
    np.testing.assert_allclose(drawn, np.sort(rows["estimate"].to_numpy()))
    assert "Mean (hours)" in words_of(drawing)


def test_arms_of_a_month_stand_beside_each_other_around_it(found: Found) -> None:
    drawing = plot(found["mixed"], inside=True)
    rows = found["mixed"].select(quantity="population_averaged_probability", term="").frame
    for arm in ("IPS", "usual"):
        mine = rows.loc[rows["arm"] == arm].sort_values("time")
        np.testing.assert_array_equal(
            artist(drawing, f"curve {arm}").get_ydata(), mine["estimate"].to_numpy()
        )
        for segment, (_, row) in zip(
            artist(drawing, f"interval {arm}").get_segments(), mine.iterrows(), strict=True
        ):
            np.testing.assert_array_equal(segment[:, 1], [row["conf_low"], row["conf_high"]])
    first, second = (artist(drawing, f"curve {arm}").get_xdata() for arm in ("IPS", "usual"))
    np.testing.assert_allclose((first + second) / 2, [6, 18, 30])
    assert (second - first > 0.2).all()


def test_mean_scores_are_drawn_in_points_on_an_axis_that_holds_their_intervals(found: Found) -> None:
    drawing = plot(found["scores"], inside=True)
    rows = found["scores"].select(quantity="least_squares_mean", term="").frame
    for arm in ("IPS", "usual"):
        mine = rows.loc[rows["arm"] == arm].sort_values("time")
        np.testing.assert_array_equal(
            artist(drawing, f"curve {arm}").get_ydata(), mine["estimate"].to_numpy()
        )
    axes = artist(drawing, "curve IPS").axes
    low, high = axes.get_ylim()
    assert 0 < low <= rows["conf_low"].min()
    assert rows["conf_high"].max() <= high
    assert "Adjusted mean (points)" in words_of(drawing)
    assert words.text("figure.note.not_from_zero", "en") in words_of(drawing)
    assert words.number(rows["estimate"].iloc[0], "en", digits=2) in drawing.alt
    assert "%)" not in words_of(drawing)


def test_means_of_periods_are_a_series_without_that_of_the_whole_window() -> None:
    found = ips.mixed(ips.example("eqolise"), ips.days_worked(by=[6, 12, 18]))
    drawing = plot(found, inside=True)
    rows = found.select(quantity="mean", term="").frame
    for arm in ("IPS", "usual"):
        mine = rows.loc[rows["arm"] == arm].sort_values("time")
        np.testing.assert_array_equal(
            artist(drawing, f"curve {arm}").get_ydata(), mine["estimate"].to_numpy()
        )
    assert "Mean (days)" in words_of(drawing)
    assert words.text("figure.note.periods", "en") in words_of(drawing)


@pytest.mark.parametrize(
    ("lowest", "highest", "texts"),
    [
        (3.94, 4.83, ["3.8", "4.0", "4.2", "4.4", "4.6", "4.8", "5.0"]),
        (61.0, 74.0, ["60", "65", "70", "75"]),
        (-0.3, 0.2, ["\u22120.3", "\u22120.2", "\u22120.1", "0.0", "0.1", "0.2"]),
        (4.0, 4.0, ["3.90", "3.95", "4.00", "4.05", "4.10"]),
    ],
)
def test_an_axis_of_points_has_round_ticks(lowest: float, highest: float, texts: list[str]) -> None:
    made = points(lowest, highest, "en")
    assert made.low <= lowest
    assert made.high >= highest
    assert 3 <= len(made.ticks) <= 8
    assert np.ptp(np.diff(made.ticks)) < 1e-9
    assert made.texts == texts


def test_a_suppressed_month_is_a_gap_and_never_a_zero() -> None:
    months = {6.0: (20, 30), 12.0: (2, 33), 18.0: (24, 36), 24.0: (25, 40)}
    drawing = plot(results_of(rate_rows(months, (80, 70))), figure="monthly")
    usual = artist(drawing, "curve usual").get_ydata()
    assert np.isnan(usual[1])
    assert np.isfinite(np.delete(usual, 1)).all()
    assert words.text("figure.note.gaps", "en") in words_of(drawing)
    assert "2.5" not in drawing.alt


def test_suppressed_rates_are_named_but_not_drawn() -> None:
    rows = rate_rows({12.0: (2, 33), 24.0: (25, 40)}, (80, 70))
    drawing = plot(results_of(rows))
    names = [line.get_label() for line in artists(drawing, "estimate ")]
    assert "estimate usual | At 12 months" not in names
    assert "estimate IPS | At 12 months" in names
    assert not any("minus" in name and "12" in name for name in names)  # the contrast goes with its arm
    shown = [text.get_text() for text in texts(drawing)]
    assert shown.count(words.text("figure.too_few", "en")) == 2


def test_many_months_are_bands_without_a_dodge() -> None:
    months = {float(month): (10 + month // 3, 15 + month // 2) for month in range(1, 61)}
    drawing = plot(results_of(rate_rows(months, (200, 200))), figure="monthly", width_mm=85)
    np.testing.assert_array_equal(artist(drawing, "curve IPS").get_xdata(), np.arange(1, 61))
    (axes,) = drawing.figure.axes
    assert axes.get_xticks()[-1] == 60


def test_published_readings_are_labelled_and_never_called_simulated(found: Found) -> None:
    both = found["rates"] + found["published"]
    drawing = plot(both, analysis="published", inside=True)
    read = words_of(drawing)
    assert "Arms of 70 and 81 people (read)" in read
    assert "Arms of 71 and 80 people (unverified)" in read
    assert "Psychiatr Rehabil J" in read
    assert words.text("figure.note.simulated", "en") not in read
    printed = [line.get_xdata()[0] for line in artists(drawing, "estimate IPS | As published")]
    assert printed == pytest.approx([44.0, 44.0])


def test_misleading_ways_of_counting_are_marked(found: Found) -> None:
    drawing = plot(found["rates"], figure="unknowns", inside=True)
    marked = [text.get_text() for text in texts(drawing) if text.get_text()[-1] in "\u2020\u2021\u00a7"]
    assert marked == ["are lost\u2020", "Known outcomes only\u2021", "or to their death\u00a7"]
    assert "\u2021 Biased" in words_of(drawing)


def test_a_way_of_counting_without_a_difference_says_so_in_its_place(found: Found) -> None:
    drawing = plot(found["rates"], figure="unknowns", inside=True)
    said = words.text("figure.not_compared", "en")
    assert [text.get_text() for text in texts(drawing)].count(said) == 1
    lost = words.text("setting.censored", "en")
    assert f"{lost[:1].upper()}{lost[1:]}\u2020: {said}." in drawing.alt


def test_figures_say_how_many_people_they_count(found: Found) -> None:
    read = words_of(plot(found["rates"], inside=True))
    assert "People: IPS 70, usual vocational rehabilitation 81." in read
    unknowns = (
        found["rates"].select(time=30, quantity="proportion", method=["wilson", "aalen_johansen"]).frame
    )
    counted = unknowns.loc[unknowns["arm"] == "IPS", "n"]
    read = words_of(plot(found["rates"], figure="unknowns", inside=True))
    assert f"People: IPS {counted.min()} to {counted.max()}, " in read


def test_small_cells_are_protected_unless_inside_and_then_it_is_said(found: Found) -> None:
    inside = plot(found["survival"], inside=True, lang="nl")
    assert words.text("figure.note.internal", "nl") in words_of(inside)
    assert words.text("figure.note.internal", "nl") in inside.alt
    public = ips.protect(found["survival"])
    assert isinstance(public, PublicResults)
    assert plot(public).alt == plot(found["survival"]).alt
    assert plot(public, inside=True).alt == plot(public).alt  # nothing internal is left to show


def test_three_arms_have_three_looks_and_two_contrasts() -> None:
    rows = rate_rows({12.0: (20, 33), 24.0: (25, 40)}, (80, 70))
    third = [dict(row, arm="IPS+") for row in rows if row.get("arm") == "IPS"]
    more = [dict(row, contrast="IPS+ - usual") for row in rows if row.get("contrast")]
    drawing = plot(results_of([*rows, *third, *more]))
    looks = {
        arm: {
            (line.get_marker(), line.get_markeredgecolor()) for line in artists(drawing, f"estimate {arm} | ")
        }
        for arm in ("usual", "IPS", "IPS+")
    }
    assert all(len(look) == 1 for look in looks.values())
    assert len(set.union(*looks.values())) == 3
    assert len(artists(drawing, "estimate IPS+ minus usual")) == 2
    assert "IPS minus usual and IPS+ minus usual" in words_of(drawing)


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_alternative_text_holds_the_numbers(found: Found, lang: str) -> None:
    for name in ("rates", "survival", "mixed", "amounts"):
        drawing = plot(found[name], inside=True, lang=lang)
        assert drawing.title in drawing.alt
        if name == "rates":
            row = found[name].main.one(quantity="proportion", arm="IPS", time=30)
            assert words.number(100 * row["estimate"], lang) in drawing.alt
            assert words.interval(row["conf_low"], row["conf_high"], lang, scale=100) in drawing.alt
        if name == "survival":
            assert ", ".join(["70", "54", "43", "37", "30", "27"]) in drawing.alt
            end = curve_rows(found[name], "IPS")["estimate"].iloc[-1]
            assert words.percentage(end, lang) in drawing.alt
        if name == "mixed":
            for value in (
                found[name].select(quantity="population_averaged_probability", term="").frame["estimate"]
            ):
                assert words.percentage(value, lang) in drawing.alt
        if name == "amounts":
            mean = found[name].main.one(quantity="mean", arm="IPS")["estimate"]
            assert words.number(mean, lang, digits=0) in drawing.alt


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_words_are_in_the_language(found: Found, lang: str) -> None:
    read = words_of(plot(found["survival"], lang=lang))
    for key in ("figure.months", "figure.note.simulated"):
        assert words.text(key, lang) in read
    assert words.text("endpoint.time_to_first_job.label", lang) in read
    read = words_of(plot(found["rates"], lang=lang))
    favours = words.text("figure.favours", lang, arm="IPS")
    assert f"{favours} \u2192" in read


def test_settings_of_the_user_are_left_alone(found: Found) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 20, "axes.linewidth": 5}):
        theirs = dict(matplotlib.rcParams)
        drawing = plot(found["rates"], inside=True)
        drawing.content("svg")
        assert dict(matplotlib.rcParams) == theirs
        assert max(text.get_fontsize() for text in texts(drawing)) == style.TEXT


@pytest.mark.parametrize("inside", [True, False])
def test_the_hazard_ratio_along_time_is_that_of_the_rows(found: Found, inside: bool) -> None:
    drawing = plot(found["residuals"], figure="schoenfeld", inside=inside)
    shown = found["residuals"] if inside else ips.protect(found["residuals"])  # which rounds
    rows = shown.select(method="schoenfeld_spline").frame.sort_values("time")
    line = artist(drawing, "curve")
    np.testing.assert_allclose(line.get_xdata(), rows["time"].to_numpy(dtype=float) / 30.4375)
    np.testing.assert_allclose(np.exp(line.get_ydata()), rows["estimate"].to_numpy())
    constant = shown.main.one(quantity="hazard_ratio").estimate
    np.testing.assert_allclose(np.exp(artist(drawing, "constant").get_ydata()), constant)
    dots = artist(drawing, "residuals")
    residuals = found["residuals"].select(quantity="scaled_schoenfeld_residual").frame.sort_values("time")
    wanted = residuals["estimate"].to_numpy() if inside else []
    np.testing.assert_allclose(dots.get_ydata(), wanted)
    assert ("not shown" in drawing.alt) != inside
    first = rows.iloc[0]
    assert f"At {first.time / 30.4375:.0f} months: {first.estimate:.2f}" in drawing.alt


def test_without_residuals_there_is_no_such_figure(found: Found) -> None:
    with pytest.raises(AnalysisError, match="'schoenfeld' cannot be drawn"):
        plot(found["survival"], figure="schoenfeld")
