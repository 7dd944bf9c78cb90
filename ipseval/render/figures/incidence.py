"""Cumulative incidence per arm, with the number at risk below the ticks."""

from __future__ import annotations

from ipseval import words
from ipseval.render.figures.curves import percents
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.source import Source
from ipseval.render.figures.steps import Shown, draw_curves

QUANTITIES = ("cumulative_incidence",)


def draw(source: Source, width: float, *, show_died: bool = False) -> Drawing:
    """Draw the curves of an analysis; ``show_died`` adds death without the event as thin dotted steps."""
    return draw_curves(source, width, _INCIDENCE, show_died=show_died)


def _heading(source: Source) -> str:
    return source.say("percent", what=source.named("quantity", "cumulative_incidence"))


def _interval(low: float, high: float, lang: str) -> str:
    return words.interval(low, high, lang, digits=0, scale=100)


_INCIDENCE = Shown(
    quantity="cumulative_incidence",
    method="aalen_johansen",
    term="event",
    title="shows.incidence",
    heading=_heading,
    upright=percents,
    value=words.percentage,
    interval=_interval,
)
