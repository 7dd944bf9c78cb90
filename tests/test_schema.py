"""The data dictionary holds together."""

from __future__ import annotations

import pandas as pd
import pytest

from ipseval import schema


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_a_table_is_sound(table: schema.Table) -> None:
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    assert table.row
    for column in table.columns:
        assert column.kind in schema.DTYPES
        assert column.meaning.endswith((".", ";")), column.name
        assert column.low is None or column.high is None or column.low < column.high
        assert not column.codes or column.kind == "category"
        assert table.column(column.name) is column
    # What identifies a row cannot be blank, except why people left at a stage of screening.
    assert all(table.column(name).required for name in table.key if name != "reason")


def test_dtypes_are_known_to_pandas_and_keep_ids_text() -> None:
    for dtype in schema.DTYPES.values():
        pd.Series([], dtype=dtype)
    assert pd.Series(["001"], dtype=schema.DTYPES["id"]).tolist() == ["001"]


def test_names_that_do_not_exist_are_key_errors() -> None:
    assert schema.table("jobs").name == "jobs"
    with pytest.raises(KeyError, match="job"):
        schema.table("job")
    with pytest.raises(KeyError, match="started"):
        schema.table("jobs").column("started")


def test_participants_come_first_and_are_all_that_is_required() -> None:
    assert schema.TABLE_NAMES[0] == "participants"
    required = [column.name for column in schema.table("participants").columns if column.required]
    assert required == ["participant_id", "arm", "randomised_on", "followed_until"]


def test_a_competitive_job_is_one_kind_and_death_one_reason() -> None:
    assert "competitive" in schema.JOB_KINDS
    assert {"completed", "died"} <= set(schema.END_REASONS)
    assert len(schema.table("fidelity").columns) == 3 + 25  # the 25-item scale
