"""Merging two aimdvc.lock files by artifact, and the form of a lock in which some artifacts are still to be settled.

Only the sections of those stand between a merge's marks; all else of the file is merged. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aimdvc.errors import AimdvcError
from aimdvc.model.lock import LockSides, Pin, dump_lock, parse_lock, split_sides

OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True, slots=True)
class MergedPins:
    """`pins` are settled; of each artifact in `conflicts` the two sides differ, None on the one that removed it."""

    pins: dict[str, Pin]
    conflicts: dict[str, LockSides] = field(default_factory=dict)

    def settle(self, name: str, pin: Pin | None) -> "MergedPins":
        """Returns the merge with one artifact settled: pinned so, or with None not at all."""
        pins = {other: known for other, known in self.pins.items() if other != name}
        if pin is not None:
            pins[name] = pin
        return MergedPins(pins, {other: sides for other, sides in self.conflicts.items() if other != name})


def merge_pins(base: Mapping[str, Pin], ours: Mapping[str, Pin], theirs: Mapping[str, Pin]) -> MergedPins:
    """Returns what two sides made of `base`: what one moved, added or removed is taken, and what both did alike.

    Commit and path are merged apart. What both changed differently is a conflict, and so is an artifact of theirs that
    would lie inside another.
    """
    pins: dict[str, Pin] = {}
    conflicts: dict[str, LockSides] = {}
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        before, our, their = base.get(name), ours.get(name), theirs.get(name)
        if our == their or their == before:
            merged = our
        elif our == before:
            merged = their
        else:
            merged = _by_field(before, our, their)
            if merged is None:
                conflicts[name] = LockSides(our, their)
        if merged is not None:
            pins[name] = merged
    return _without_overlaps(MergedPins(pins, conflicts), ours, theirs)


def _by_field(before: Pin | None, our: Pin | None, their: Pin | None) -> Pin | None:
    """Returns the pin of which one side moved the commit and the other the path; None for any other case."""
    if before is None or our is None or their is None:
        return None
    is_ours_moved, is_theirs_moved = our.path != before.path, their.path != before.path
    is_ours_new, is_theirs_new = _what(our) != _what(before), _what(their) != _what(before)
    if is_ours_new and is_theirs_new and _what(our) != _what(their):
        return None
    if is_ours_moved and is_theirs_moved and our.path != their.path:
        return None
    return (our if is_ours_new else their)._replace(path=our.path if is_ours_moved else their.path)


def _what(pin: Pin) -> tuple[str, str | None]:
    return pin.commit, pin.source


def _without_overlaps(merged: MergedPins, ours: Mapping[str, Pin], theirs: Mapping[str, Pin]) -> MergedPins:
    """Makes conflicts of those artifacts of theirs that can't stand in one lock with the others."""
    if _is_valid(merged.pins):
        return merged
    pins = {name: pin for name, pin in merged.pins.items() if ours.get(name) == pin}
    conflicts = dict(merged.conflicts)
    for name, pin in merged.pins.items():
        if name in pins:
            continue
        if _is_valid({**pins, name: pin}):
            pins[name] = pin
        else:
            conflicts[name] = LockSides(ours.get(name), theirs.get(name))
    return MergedPins(pins, conflicts)


def _is_valid(pins: Mapping[str, Pin]) -> bool:
    try:
        parse_lock(dump_lock(pins))
    except AimdvcError:
        return False
    return True


def dump_merged(merged: MergedPins) -> bytes:
    """Returns the file of a merge: a lock like any other when all is settled, else with marks around what is not."""
    if not merged.conflicts:
        return dump_lock(merged.pins)
    blocks = []
    for name in sorted(merged.pins.keys() | merged.conflicts.keys()):
        sides = merged.conflicts.get(name)
        if sides is None:
            blocks.append(dump_lock({name: merged.pins[name]}))
            continue
        our, their = (dump_lock({name: pin}) if pin is not None else b"" for pin in sides)
        blocks.append(b"<<<<<<< %s\n%s=======\n%s>>>>>>> %s\n" % (OURS.encode(), our, their, THEIRS.encode()))
    return b"\n".join(blocks)


def parse_merged(raw: bytes) -> MergedPins:
    """Returns what a lock says that may have a merge's marks, ours or Git's own. Raises as `parse_lock`."""
    sides = split_sides(raw)
    if sides is None:
        return MergedPins(parse_lock(raw))
    our, their = parse_lock(sides[0]), parse_lock(sides[1])
    pins = {name: pin for name, pin in our.items() if their.get(name) == pin}
    names = sorted((our.keys() | their.keys()) - pins.keys())
    return MergedPins(pins, {name: LockSides(our.get(name), their.get(name)) for name in names})
