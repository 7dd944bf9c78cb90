"""The report: the answer first, one file that stands alone, and nobody in it who could be recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import ipseval as ips
from ipseval import words
from ipseval.disclosure import names_in
from ipseval.errors import AnalysisError
from ipseval.render.answer import answer
from ipseval.render.report import report
from ipseval.results import PublicResults, Results
from tests.render.shown import by_hand, public, scion

PACKAGE = Path(ips.__file__).parent
#: Elements that HTML closes by themselves.
VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    parents: tuple[str, ...] = ()


@dataclass
class Reader(HTMLParser):
    """Reads a page into its elements in order, and notes tags that do not match."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        element = Element(tag, named, parents=tuple(parent.tag for parent in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.elements.append(Element(tag, named, parents=tuple(parent.tag for parent in self.open)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1].tag if self.open else 'nothing'}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def of(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module", params=words.LANGUAGES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the report of the bundled trial in each language, with the language."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    return report(public(), file, lang=request.param).read_text(encoding="utf-8"), request.param


def test_the_first_sentence_is_the_answer_and_the_second_says_simulated(page: tuple[str, str]) -> None:
    text, lang = page
    paragraphs = [element for element in read(text).of("p") if element.attributes.get("class") != "kicker"]
    first, second = paragraphs[0].text, paragraphs[1].text
    numbers = re.findall(r"\d+(?:\.\d+)?", first.replace(",", ".").replace(". ", " "))
    # Of 70 people offered IPS, 31 (44.3%) ... within 30 months, 20 of 81 (24.7%): 19.6 points (4.4 to 33.8)
    wanted = {"70", "31", "44.3", "30", "20", "81", "24.7", "19.6", "95", "4.4", "33.8"}
    assert wanted == set(numbers)
    assert second == words.text("report.simulated", lang)


def test_the_first_sentence_in_english_reads_as_a_sentence() -> None:
    assert answer(public())[0] == (
        "Of 70 people offered IPS, 31 (44.3%) had found competitive work at any time within 30 months, "
        "against 20 of 81 (24.7%) with usual vocational rehabilitation: 19.6 percentage points more "
        "(95% confidence interval 4.4 to 33.8)."
    )


def test_fewer_turns_the_interval_round() -> None:
    said = answer(by_hand({"IPS": (20, 80), "usual": (40, 80)}))[0]
    assert "25 percentage points fewer (95% confidence interval 5 to 35)" in said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"IPS": (40, 80), "usual": (20, 80)}, ("(50%)", "(25%)", "25 percentage points more")),
        ({"IPS": (31, 70), "usual": (20, 81)}, ("(44.3%)", "(24.7%)", "19.6 percentage points more")),
        ({"IPS": (20, 81), "usual": (31, 70)}, ("(24.7%)", "(44.3%)", "19.6 percentage points fewer")),
    ],
)
def test_the_difference_is_that_of_the_percentages_beside_it(
    counts: dict[str, tuple[int, int]], said: tuple[str, ...]
) -> None:
    sentence = answer(by_hand(counts))[0]
    assert all(part in sentence for part in said), sentence


def test_how_many_were_unknown_is_said_or_that_they_are_few_or_none() -> None:
    counts = {"IPS": (30, 70), "usual": (20, 80)}
    assert "unknown for 12 of 150 people" in answer(by_hand(counts, n_missing=12))[1]
    assert answer(by_hand(counts))[1] == "The outcome was known for all 150 people."
    few = ips.protect(by_hand(counts, n_missing=3))
    assert "For how many of the 150 people the outcome was unknown is not shown" in answer(few)[1]


def test_nothing_is_answered_when_all_is_suppressed() -> None:
    hidden = ips.protect(by_hand({"IPS": (2, 30), "usual": (1, 30)}))
    assert answer(hidden) == [words.text("report.answer.hidden")]


def test_the_page_is_well_formed_and_in_its_language(page: tuple[str, str]) -> None:
    text, lang = page
    reader = read(text)
    assert reader.faults == []
    assert reader.open == []
    assert reader.of("html")[0].attributes["lang"] == lang
    assert len(reader.of("title")) >= 1
    assert len(reader.of("main")) == len(reader.of("h1")) == 1


def test_headings_descend_one_level_at_a_time(page: tuple[str, str]) -> None:
    levels = [int(element.tag[1]) for element in read(page[0]).of("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_identifiers_are_unique_and_every_reference_finds_its_own(page: tuple[str, str]) -> None:
    reader = read(page[0])
    identifiers = [element.attributes["id"] for element in reader.elements if "id" in element.attributes]
    assert len(set(identifiers)) == len(identifiers)
    used: set[str] = set()
    for element in reader.elements:
        used |= set(element.attributes.get("aria-labelledby", "").split())
        for name in ("href", "xlink:href"):
            target = element.attributes.get(name, "#")
            assert target.startswith("#")
            used |= {target[1:]} - {""}
    used |= set(re.findall(r"url\(#([^)]+)\)", page[0]))
    assert used
    assert used <= set(identifiers)


def test_nothing_is_fetched_and_nothing_runs(page: tuple[str, str]) -> None:
    reader = read(page[0])
    assert not reader.of("script", "link", "iframe", "img", "object", "embed")
    assert not any("src" in element.attributes for element in reader.elements)
    assert not any(name.startswith("on") for element in reader.elements for name in element.attributes)
    style = reader.of("style")[0].text
    assert "@import" not in style
    assert "url(" not in style
    assert "http" not in page[0]


def test_tables_have_a_caption_and_every_heading_its_scope(page: tuple[str, str]) -> None:
    reader = read(page[0])
    tables, captions = reader.of("table"), reader.of("caption")
    assert len(tables) == len(captions) >= 8
    assert all(caption.text.strip() for caption in captions)
    assert {cell.attributes.get("scope") for cell in reader.of("th")} == {"col", "row", "rowgroup"}
    regions = [element for element in reader.elements if element.attributes.get("role") == "region"]
    assert len(regions) == len(tables)
    assert all(region.attributes["tabindex"] == "0" for region in regions)


def test_every_figure_has_a_title_and_a_description(page: tuple[str, str]) -> None:
    reader = read(page[0])
    drawings = [element for element in reader.of("svg") if element.attributes.get("role") == "img"]
    assert len(drawings) == len(reader.of("figure")) >= 4
    described = [element for element in reader.of("desc") if len(element.text) > 40]
    assert len(described) == len(drawings)


def test_no_pseudonym_is_in_the_page(page: tuple[str, str]) -> None:
    people = ips.example("scion").participants["participant_id"].astype(str)
    assert names_in(page[0], people) == []


def test_suppressed_counts_are_in_no_page_for_others(tmp_path: Path) -> None:
    # 3 of 37 is 8.1%, and its limits here are 7.0% to 10.3%; none of it may be read or worked out.
    results = by_hand({"IPS": (3, 37), "usual": (20, 41)})
    telling = ["3 of 37", "8.1%", "7.0% to 10.3%"]
    shown = report(results, tmp_path / "public.html").read_text(encoding="utf-8")
    assert [text for text in [*telling, "of 78"] if text in shown] == []
    assert "small cell" in shown
    inside = report(results, tmp_path / "inside.html", inside=True).read_text(encoding="utf-8")
    assert all(text in inside for text in telling)
    assert inside.count(words.text("report.inside")) == 2
    assert words.text("report.inside") not in shown


def test_the_page_shows_no_number_of_a_suppressed_row(page: tuple[str, str]) -> None:
    text, lang = page
    exact = scion().frame
    hidden = public().frame
    keys = ["analysis", "term", "time", "quantity", "arm", "setting", "method"]
    gone = hidden.loc[(hidden["status"] == "suppressed") & (hidden["quantity"] == "proportion"), keys]
    both = gone.merge(exact, on=keys)
    assert len(both) > 0
    shown = public().frame.loc[lambda frame: frame["status"] != "suppressed"]
    allowed = set(zip(shown["n_event"].fillna(-1), shown["n"].fillna(-1), strict=True))
    for _, row in both.iterrows():
        if (row["n_event"], row["n"]) in allowed or row["setting"] == "missing=censored":
            continue
        counts = {"n_event": row["n_event"], "n": row["n"]}
        assert f">{words.text('report.table.events', lang, **counts)}<" not in text


def test_the_same_results_give_the_same_bytes_also_when_saved_and_read(tmp_path: Path) -> None:
    public().write(tmp_path / "public")
    first = report(public(), tmp_path / "first.html", lang="fr").read_bytes()
    again = report(PublicResults.read(tmp_path / "public"), tmp_path / "again.html", lang="fr").read_bytes()
    assert first == again


def test_the_plan_decides_which_figures_and_words(tmp_path: Path) -> None:
    results = by_hand({"IPS": (30, 70), "usual": (20, 80)})
    plan = {
        "title": "A plan",
        "fingerprint": "f00d" * 16,
        "displays": [{"name": "only", "figure": "rates", "analysis": "rates"}],
        "estimands": {"rates": {"summary": "the summary <measure> of the plan"}},
    }
    told = Results(results.frame, results.records, results.endpoints, {**results.provenance, "plan": plan})
    text = report(told, tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(read(text).of("figure")) == 1
    assert "the summary &lt;measure&gt; of the plan" in text
    assert "f00d" * 16 in text


def test_a_figure_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    results = by_hand({"IPS": (2, 30), "usual": (1, 30)})
    reader = read(report(results, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert reader.of("figure") == []
    assert any("could not be drawn" in element.text for element in reader.of("p"))


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"lang='xx' is not an option"):
        report(public(), tmp_path / "report.html", lang="xx")
    with pytest.raises(AnalysisError, match=r"'\.pdf' is not an option"):
        report(public(), tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_every_text_asked_for_exists_and_every_text_of_the_report_is_asked_for() -> None:
    render = PACKAGE / "render"
    files = [*render.glob("*.py"), *render.glob("tables/*.py"), *render.glob("templates/*.jinja")]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    asked = set(re.findall(r"""\bsay\(\s*['"]([\w.]+)['"]""", source))
    missing = [name for name in asked if not words.has(f"report.{name}")]
    assert asked
    assert missing == []
    # A key that is put together, such as f"section.{name}", asks for every text that begins so.
    stems = tuple(re.findall(r"""f"(?:report\.)?([a-z][\w.]*)\{""", source))
    texts = {key.removeprefix("report.") for key in words.keys() if key.startswith("report.")}  # noqa: SIM118
    unused = [name for name in texts - asked if f'"{name}"' not in source and not name.startswith(stems)]
    assert unused == []


def test_text_has_the_contrast_that_wcag_asks_for() -> None:
    style = (PACKAGE / "render" / "templates" / "report.css").read_text(encoding="utf-8")
    for name in ("ink", "quiet", "accent"):
        colour = re.search(rf"--{name}: #([0-9a-f]+);", style)
        assert colour is not None
        assert contrast_with_white(colour[1]) >= 4.5  # WCAG 2.1, success criterion 1.4.3


def contrast_with_white(colour: str) -> float:
    """Return the contrast ratio of WCAG 2.1 against white."""
    pairs = [colour[at] * 2 for at in range(3)] if len(colour) == 3 else re.findall("..", colour)
    shares = [int(pair, 16) / 255 for pair in pairs]
    linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    luminance = sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05)
