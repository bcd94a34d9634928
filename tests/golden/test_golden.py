"""What aimdvc says and writes is as the snapshots have it. `python -m tests.golden` writes them anew."""

from pathlib import Path

import pytest

from tests.golden.collect import error_texts, formats, json_objects

PLACE = Path(__file__).parent / "snapshots"
ANEW = "if it is meant to be so: `python -m tests.golden`"


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    return json_objects()


@pytest.mark.parametrize("name", formats())
def test_a_format_is_as_it_was(name: str) -> None:
    assert formats()[name] == (PLACE / "formats" / name).read_bytes(), ANEW


def test_errors_say_what_they_said() -> None:
    assert error_texts().decode().splitlines() == (PLACE / "errors.txt").read_text("utf-8").splitlines(), ANEW


@pytest.mark.parametrize("name", sorted(path.name for path in (PLACE / "json").iterdir()))
def test_a_json_object_is_as_it_was(objects: dict[str, bytes], name: str) -> None:
    assert objects[name].decode().splitlines() == (PLACE / "json" / name).read_text("utf-8").splitlines(), ANEW


def test_every_snapshot_is_of_something(objects: dict[str, bytes]) -> None:
    assert {path.name for path in (PLACE / "json").iterdir()} == set(objects)
    assert {path.name for path in (PLACE / "formats").iterdir()} == set(formats())
