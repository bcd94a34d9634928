"""What runs at once, and who may try how many wrong keys: at once refused, in bounded memory."""

from pathlib import Path

import pytest

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.slots import Slots
from aimdvc.server.wrong_keys import WrongKeys


def refused(error: HttpError) -> int:
    assert error.status == 429
    return int(error.headers["Retry-After"])


def test_over_the_limit_a_request_is_refused_until_one_is_done() -> None:
    slots = Slots(Limits(running=2))
    first, _ = slots.enter(), slots.enter()
    with pytest.raises(HttpError, match="busy") as error:
        slots.enter()
    assert 1 <= refused(error.value) <= 3
    for _ in range(2):
        first.leave()
    slots.enter()
    with pytest.raises(HttpError):
        slots.enter()


def test_one_user_does_not_take_what_is_there_for_all() -> None:
    slots = Slots(Limits(costly=3, costly_of_one=2))
    ada = [slots.enter() for _ in range(2)]
    for slot in ada:
        slot.take("ada", is_costly=True)
    with pytest.raises(HttpError, match="your requests"):
        slots.enter().take("ada", is_costly=True)
    bob = slots.enter()
    bob.take("bob", is_costly=True)
    with pytest.raises(HttpError, match="the server is busy"):
        slots.enter().take("eve", is_costly=True)
    # What was refused took nothing, and what is done gives all of it back.
    ada[0].leave()
    slots.enter().take("eve", is_costly=True)
    bob.leave()
    slots.enter().take("ada", is_costly=True)


def test_one_user_leaves_room_for_others_with_what_is_cheap_too() -> None:
    slots = Slots(Limits(running=3, running_of_one=2))
    ada = [slots.enter() for _ in range(2)]
    for slot in ada:
        slot.take("ada", is_costly=False)
    third = slots.enter()
    with pytest.raises(HttpError, match="your requests"):
        third.take("ada", is_costly=True)
    third.leave()
    slots.enter().take("bob", is_costly=True)
    ada[0].leave()
    slots.enter().take("ada", is_costly=True)


def test_an_address_with_too_many_wrong_keys_is_not_listened_to_for_a_minute() -> None:
    now = 1000.0
    keys = WrongKeys(Limits(wrong_keys=3), lambda: now)
    keys.note("10.0.0.1", "known", is_right=True)
    for number in range(3):
        keys.check("10.0.0.1", f"wrong{number}")
        keys.note("10.0.0.1", f"wrong{number}", is_right=False)
    with pytest.raises(HttpError) as error:
        keys.check("10.0.0.1", "right")
    assert refused(error.value) == 61
    # Others behind the same proxy, whose keys were taken before, and other addresses go on.
    keys.check("10.0.0.1", "known")
    keys.check("10.0.0.2", "right")
    now += 61
    keys.check("10.0.0.1", "right")
    keys.note("10.0.0.1", "wrong", is_right=False)
    keys.check("10.0.0.1", "right")


def test_a_host_with_many_ipv6_addresses_counts_as_one_and_memory_is_bounded() -> None:
    keys = WrongKeys(Limits(wrong_keys=3), lambda: 1000.0)
    for number in range(3):
        keys.note(f"2001:db8::{number}", "wrong", is_right=False)
    with pytest.raises(HttpError):
        keys.check("2001:db8::ffff", "right")
    keys.check("2001:db8:0:1::1", "right")
    keys.note("no address", "wrong", is_right=False)
    for number in range(20_000):
        keys.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "wrong", is_right=False)
        keys.note("", f"{number}", is_right=True)
    assert len(keys._failures) == len(keys._taken) == 10_000


def test_the_limits_are_published_as_they_are() -> None:
    text = (Path(__file__).parents[3] / "docs" / "server.md").read_text("utf-8").partition("## Limits")[2]
    limits = Limits()
    rows = {line.split("|")[1].strip(): line.split("|")[2] for line in text.splitlines() if line.startswith("| ")}
    for row, *values in (
        ("a header", f"{limits.header_bytes >> 10} KiB"),
        ("a body in JSON", f"{limits.json_bytes >> 20} MiB"),
        ("objects of an LFS batch", f"{limits.batch_objects:,}"),
        ("refs in a push", f"{limits.commands:,}", f"{limits.command_bytes >> 20} MiB"),
        ("refs of an artifact, its versions among them", f"{limits.refs:,}"),
        ("options of a push", f"{limits.push_options}"),
        ("lines of a fetch", f"{limits.wants:,}"),
        ("a git pack", f"{limits.pack_bytes >> 30} GiB"),
        (
            "a git object in it; all of them; how many",
            f"{limits.git_object_bytes >> 20} MiB",
            f"{limits.git_objects:,}",
        ),
        ("a chain of deltas", f"{limits.delta_depth}"),
        ("a blob", f"{limits.blob_bytes >> 30:,} GiB"),
        (
            "an aimd-pack; blobs in it; one of them",
            f"{limits.aimd_pack_bytes >> 30} GiB",
            f"{limits.batch_objects:,}",
            f"{limits.packed_blob_bytes >> 20} MiB",
        ),
        ("an href", f"{limits.href_seconds} seconds"),
        ("requests that run at once in a process", f"{limits.running}"),
        ("one user's, and all that have no key together", f"{limits.running_of_one}"),
        ("uploads, downloads, packs, listings of objects and diffs among them", f"{limits.costly}"),
        ("one user's of those", f"{limits.costly_of_one}"),
        (f"messages in JSON from {limits.large_bytes >> 10} KiB on that are worked on at once", f"{limits.large}"),
        ("wrong keys from one address within a minute", f"{limits.wrong_keys}"),
    ):
        assert all(value in rows[row] for value in values), (row, values)
