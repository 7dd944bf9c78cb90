"""The report: one HTML file that stands alone, from results from which no person can be recognised."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from ipseval import checks, words
from ipseval._version import __version__
from ipseval.disclosure import protect
from ipseval.render import html
from ipseval.render.answer import answer
from ipseval.render.figures.drawing import Drawing
from ipseval.render.sections import Composer
from ipseval.results import PublicResults, Results
from ipseval.words import LANGUAGES


def report(
    results: Results,
    path: str | Path,
    *,
    lang: str = "en",
    inside: bool = False,
    drawings: Mapping[str, Drawing] | None = None,
) -> Path:
    """Write the report as one HTML file: the answer first, then everything it rests on.

    The file needs no other file, no script and no network; figures are inline SVG with a text
    alternative. The same results give the same bytes.

    Parameters
    ----------
    results : Results or PublicResults
        Small cells of Results are protected first (fewer than 5 people). PublicResults, also those
        that were saved and read again, are reported as they are.
    path : str or Path
        The file to write, ending in ``.html``; its folder is made if it is not there.
    lang : {"en", "nl", "fr", "de"}
        Language of every text and number.
    inside : bool
        Report results as computed, small cells included. The report then says that it is not for
        others.
    drawings : mapping of str to Drawing, optional
        Figures that were drawn already, by the name of their display; the others are drawn here.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    AnalysisError
        For a language that there is not, a path that is no HTML file, or results without a row.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import ipseval as ips
    >>> found = ips.rates(ips.example("scion"), ips.ever_employed(by=30))
    >>> file = ips.report(found, pathlib.Path(tempfile.mkdtemp()) / "report.html", lang="nl")
    >>> "Van 70 mensen aan wie IPS is aangeboden" in file.read_text(encoding="utf-8")
    True
    """
    checks.one_of(lang, LANGUAGES, "lang")
    target = Path(path)
    checks.one_of(target.suffix.lower(), (".html", ".htm"), "suffix of the file")
    as_computed = inside and not isinstance(results, PublicResults)
    shown = results if as_computed else protect(results)
    page = _page(Composer(shown, lang, as_computed, drawings or {}))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(page.encode("utf-8"))
    return target


def _page(composer: Composer) -> str:
    # Jinja is imported when a report is written, so that it costs nothing before.
    from jinja2 import Environment, StrictUndefined

    lang, trial = composer.lang, composer.results.provenance.get("trial", {})
    opening = _opening(composer, bool(trial.get("simulated")))
    folder = files("ipseval.render") / "templates"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        lang=lang,
        version=__version__,
        style=(folder / "report.css").read_text(encoding="utf-8").strip(),
        title=words.translated(trial.get("title", ""), lang) or composer.say("title"),
        kicker=composer.say("kicker"),
        opening=opening,
        sections=composer.sections(),
        footer=composer.say("footer", version=__version__),
        say=composer.say,
    )


def _opening(composer: Composer, simulated: bool) -> list[str]:
    """Return the answer, that people are simulated, how unknowns were counted, and the key figure."""
    first, *more = answer(composer.results, lang=composer.lang)
    blocks = [html.paragraph(first, "answer")]
    if simulated:
        blocks.append(html.paragraph(composer.say("simulated"), "simulated"))
    if composer.inside:
        blocks.append(html.paragraph(composer.say("inside"), "inside"))
    blocks += [html.paragraph(sentence) for sentence in more]
    return blocks + list(composer.key_figure())
