"""Figures for publication: each drawn from the rows of results alone, nothing computed anew.

``plot`` chooses the family; one file per family draws it. matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

from ipseval import checks
from ipseval.disclosure import protect
from ipseval.errors import AnalysisError
from ipseval.render.figures import style
from ipseval.render.figures.drawing import Drawing
from ipseval.render.figures.source import Source
from ipseval.results import PublicResults, Results
from ipseval.words import LANGUAGES

#: The families of figures; each is the module of that name.
FAMILIES = (
    "incidence",
    "mean_cumulative",
    "schoenfeld",
    "monthly",
    "rates",
    "methods",
    "unknowns",
    "amounts",
)

__all__ = ["FAMILIES", "Drawing", "plot"]


def plot(
    results: Results,
    *,
    figure: str = "",
    analysis: str = "",
    lang: str = "en",
    width_mm: float | None = None,
    inside: bool = False,
    show_died: bool = False,
) -> Drawing:
    """Draw one analysis as a figure that a journal can print.

    Parameters
    ----------
    results : Results
        Small cells are protected first (fewer than 5 people), so that the figure may be handed on;
        PublicResults are drawn as they are.
    figure : {"incidence", "mean_cumulative", "schoenfeld", "monthly", "rates", "methods", "unknowns", \
"amounts"}, optional
        The family: cumulative incidence of a first job with the number at risk; mean cumulative number of
        new jobs with the number at risk; the hazard ratio along time, with residuals (of
        ``ips.survival(..., residuals=True)``); proportion by month; rates with their difference; one
        outcome under every interval method; one outcome under every way of counting the unknown; mean
        amounts with their difference. By default the one that the estimator names.
    analysis : str, optional
        The name in the ``analysis`` column; needed when several could be meant.
    lang : {"en", "nl", "fr", "de"}
    width_mm : float, optional
        85, 120 or 178 (one, one and a half or two columns; the default is 178), or any width between.
        The height follows.
    inside : bool
        Draw results as computed, small cells included; the figure then says that it is not for others.
    show_died : bool
        With "incidence": add death before a first job as thin dotted steps.

    Returns
    -------
    Drawing
        With ``.save("first_job.pdf", "first_job.svg")``, ``.alt`` and ``.figure``.

    Raises
    ------
    AnalysisError
        When several analyses could be meant, the family cannot be drawn from the analysis, or nothing
        is left to draw.

    Notes
    -----
    "methods" and "unknowns" show the last month that the analysis holds; ``results.select(time=18)``
    chooses another. Steps hold their value from the day they are drawn at; days are placed at
    day / 30.4375 months (day / 30 where the trial's months have 30 days).

    Examples
    --------
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
    >>> ips.plot(found, lang="nl", width_mm=120).title
    'Ooit betaald regulier werk. Per arm, en het verschil: IPS min gebruikelijke arbeidsrehabilitatie'
    """
    checks.one_of(lang, LANGUAGES, "lang")
    width = _width(width_mm)
    analysis, figure = _chosen(results, analysis, figure)
    if show_died and figure != "incidence":
        raise AnalysisError(f"show_died=True belongs to figure='incidence', not to {figure!r}. Leave it out.")
    internal = inside and not isinstance(results, PublicResults)
    shown = results if internal else protect(results)
    source = Source(shown, analysis, lang, internal)
    for column in ("endpoint", "population", "subgroup"):
        source.only(column)
    family = import_module(f"ipseval.render.figures.{figure}")
    with style.settings():
        drawing: Drawing = family.draw(source, width, **({"show_died": True} if show_died else {}))
    return drawing


def _width(width_mm: float | None) -> float:
    width = style.DEFAULT_WIDTH_MM if width_mm is None else float(width_mm)
    low, high = min(style.WIDTHS_MM), max(style.WIDTHS_MM)
    if not (np.isfinite(width) and low <= width <= high):
        raise AnalysisError(
            f"width_mm={width_mm!r} is not from {low} to {high} mm. "
            f"Common columns are {', '.join(map(str, style.WIDTHS_MM))} mm."
        )
    return width


def _chosen(results: Results, analysis: str, figure: str) -> tuple[str, str]:
    """Return the analysis and the family, or refuse with what there is to choose from."""
    if figure:
        checks.one_of(figure, FAMILIES, "figure")
    names = tuple(dict.fromkeys(results.frame["analysis"]))
    if analysis:
        checks.one_of(analysis, names, "analysis")
        names = (analysis,)
    families = {name: _families(results, name) for name in names}
    able = [name for name, found in families.items() if (figure in found if figure else found)]
    if not able:
        listed = "; ".join(
            f"{name!r} as {', '.join(found) or 'no figure'}" for name, found in families.items()
        )
        raise AnalysisError(
            f"{f'figure={figure!r}' if figure else 'A figure'} cannot be drawn from these results "
            f"({len(families)} analyses: {listed or 'none'}). Choose analysis=... and figure=... among these."
        )
    # An estimator's own family decides before families that could also show its rows.
    own = [name for name in able if figure and families[name][0] == figure]
    candidates = own or able
    if len(candidates) > 1:
        listed = ", ".join(repr(name) for name in candidates)
        raise AnalysisError(
            f"{len(candidates)} analyses could be drawn ({listed}). Choose one with analysis=..."
        )
    return candidates[0], figure or families[candidates[0]][0]


def _families(results: Results, analysis: str) -> list[str]:
    """Return the families that an analysis can be drawn as, the one that its estimator names first."""
    rows = results.select(analysis=analysis).frame
    present = set(rows.loc[rows["endpoint"] != "", "quantity"])
    named = results.records.get(analysis, {}).get("figure", "")
    able = [
        family
        for family in FAMILIES
        if present & set(import_module(f"ipseval.render.figures.{family}").QUANTITIES)
    ]
    return sorted(able, key=lambda family: family != named)
