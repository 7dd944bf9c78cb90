"""Mean cumulative number of new jobs per arm, with the number at risk below the ticks."""

from __future__ import annotations

from ipseval import words
from ipseval.render.figures.curves import Upright, points
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.source import Source
from ipseval.render.figures.steps import Shown, draw_curves

QUANTITIES = ("mean_cumulative_number",)


def draw(source: Source, width: float) -> Drawing:
    """Draw the mean of each arm from day to day."""
    return draw_curves(source, width, _MEANS)


def _heading(source: Source) -> str:
    return source.named("quantity", "mean_cumulative_number")


def _upright(highest: float, lang: str) -> Upright:
    return points(0.0, highest, lang)


def _value(mean: float, lang: str) -> str:
    return words.number(mean, lang, digits=2)


def _interval(low: float, high: float, lang: str) -> str:
    return words.interval(low, high, lang, digits=2)


_MEANS = Shown(
    quantity="mean_cumulative_number",
    method="ghosh_lin_log_t",
    term="",
    title="shows.mean_cumulative",
    heading=_heading,
    upright=_upright,
    value=_value,
    interval=_interval,
)
