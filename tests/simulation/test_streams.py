"""What moves and what stays when a seed, a part of the design, or the order of its parts changes."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from ipseval.simulation import SimulationDesign, simulated_tables
from ipseval.simulation.draws import Draws, Quantiles, Weights, shuffled
from tests.simulation.conftest import Altered


def _columns(design: SimulationDesign, table: str, *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in simulated_tables(design).rows[table]]


def test_another_seed_gives_other_people_and_the_same_counts(altered: Altered) -> None:
    design = altered()
    other = replace(design, seed=design.seed + 1)
    for table in ("participants", "jobs", "visits"):
        assert simulated_tables(design).rows[table] != simulated_tables(other).rows[table]
    assert sorted(_columns(design, "participants", "site", "arm")) == sorted(
        _columns(other, "participants", "site", "arm")
    )


def test_the_order_of_the_parts_does_not_matter(altered: Altered) -> None:
    design = altered()
    backwards = replace(
        design, covariates=tuple(reversed(design.covariates)), scores=tuple(reversed(design.scores))
    )
    assert simulated_tables(design).rows == simulated_tables(backwards).rows


def test_other_wages_leave_everything_else_as_it_was(altered: Altered) -> None:
    design = altered()
    dearer = altered(("wage_per_hour = [[0, 8.20], [0.5, 10.40]", "wage_per_hour = [[0, 9.20], [0.5, 12.40]"))
    assert simulated_tables(design).rows["participants"] == simulated_tables(dearer).rows["participants"]
    assert simulated_tables(design).rows["visits"] == simulated_tables(dearer).rows["visits"]
    others = ("participant_id", "started_on", "ended_on", "kind", "hours_per_week", "sector")
    assert _columns(design, "jobs", *others) == _columns(dearer, "jobs", *others)
    assert _columns(design, "jobs", "wage_per_hour") != _columns(dearer, "jobs", "wage_per_hour")


def test_a_further_site_leaves_the_people_of_the_others_as_they_were(altered: Altered) -> None:
    further = ("[frailty]", "[sites.Utrecht]\nn = { IPS = 4, usual = 4 }\n\n[frailty]")
    unforced = ("[first_job.force_counts]\nIPS = 31\nusual = 20\n", "")
    names = ("site", "arm", "randomised_on", "age", "diagnosis", "followed_until", "qol_baseline")
    before = _columns(altered(unforced), "participants", *names)
    after = _columns(altered(unforced, further), "participants", *names)
    assert [row for row in after if row[0] != "Utrecht"] == before
    assert len(after) == len(before) + 8


def test_streams_are_pinned() -> None:
    # Another way to name a stream, or to take numbers from it, would silently make other people.
    key = (zlib.crc32(b"wages"), 7)
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(1, spawn_key=key))).random(20)
    stream = Draws(1).stream("wages", 7)
    assert [next(stream) for _ in range(20)] == expected.tolist()


def test_tables_turn_uniform_numbers_into_values() -> None:
    quantiles = Quantiles((0.0, 0.5, 1.0), (10.0, 20.0, 60.0))
    assert [quantiles.value(u) for u in (0.0, 0.25, 0.5, 0.75)] == [10.0, 15.0, 20.0, 40.0]
    assert quantiles.whole(0.26) == 15
    assert quantiles.whole(0.26, per_unit=4) == 61  # 15.2 is 60.8 quarters
    weights = Weights(("a", "b", "c"), (1, 0, 3))
    assert [weights.code(u) for u in (0.0, 0.2499, 0.25, 0.999)] == ["a", "a", "c", "c"]
    assert weights.share("c") == 0.75
    assert weights.share("none") == 0


def test_a_shuffle_keeps_what_it_was_given() -> None:
    order = shuffled(list("aabbbc"), iter([0.9, 0.1, 0.5, 0.3, 0.0]))
    assert sorted(order) == list("aabbbc")
