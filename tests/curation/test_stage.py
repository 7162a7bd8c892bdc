import pytest
from tests.curation.small_stages import Length, Odd, png

from mezzotint.curation.sources.rows import Found, Origin, batches, blank
from mezzotint.curation.stage import ROW, Outcome, Stage, apply, table_schema
from mezzotint.errors import InputError


def batch(count: int, unread: tuple[int, ...] = ()) -> Outcome:
    origin = Origin(source="test")
    found = [
        Found(blank(f"{i}", origin) | {"picture": None if i in unread else png(i)}, "gone" if i in unread else None)
        for i in range(count)
    ]
    return next(batches(found))


def test_each_row_is_kept_or_says_who_dropped_it_and_why() -> None:
    stages = [Length(), Odd()]
    table = apply(batch(5, unread=(2,)), "read", stages, table_schema(ROW, stages))
    assert table.column("id").to_pylist() == ["0", "1", "2", "3", "4"]
    assert table.column("dropped_by").to_pylist() == [None, "odd", "read", "odd", None]
    assert table.column("reason").to_pylist() == [None, "an odd number", "gone", "an odd number", None]
    lengths = table.column("length").to_pylist()
    assert lengths[0] == len(png(0))
    assert lengths[2] is None


def test_a_table_does_not_hold_the_pictures() -> None:
    table = apply(batch(2), "read", [], table_schema(ROW, []))
    assert table.column("picture").null_count == 2


def test_nothing_left_is_no_error() -> None:
    stages = [Length(most=0), Odd()]
    table = apply(batch(3), "read", stages, table_schema(ROW, stages))
    assert table.column("dropped_by").to_pylist() == ["length"] * 3


def test_a_stage_that_reads_what_nothing_writes_is_named() -> None:
    with pytest.raises(InputError, match="stage 'odd' reads 'length', which no stage before it writes"):
        table_schema(ROW, [Odd()])


def test_the_contract_can_be_checked() -> None:
    assert isinstance(Length(), Stage)
