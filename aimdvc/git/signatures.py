"""Who and when, as Git writes it in commits and reflogs."""

import re

from aimdvc.model.commits import Signature

_TIME = re.compile(r"-?[0-9]{1,400}")
_ZONE = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
_DAY_S = 24 * 3600
_FIRST_TIME_S = -62_135_596_800 + 2 * _DAY_S
_LAST_TIME_S = 253_402_300_799 - 2 * _DAY_S
"""Two days off the years 1 and 9999, so that any zone fits in."""
_CRUD = "".join(map(chr, range(33))) + ".,:;\\\"'"
"""What Git takes off both ends of a name (Git, ident.c, crud)."""


def format_signature(who: Signature) -> str:
    """Returns who and when as Git writes it; what would end a field early is left out."""
    minutes = abs(who.zone_s) // 60
    sign = "-" if who.zone_s < 0 else "+"
    name = _clean(who.name) or "unknown"
    return f"{name} <{_clean(who.email)}> {who.time_s} {sign}{minutes // 60:02d}{minutes % 60:02d}"


def parse_signature(text: str) -> Signature | None:
    """Returns who and when of Git's text, the time within the years 1 to 9999; None when it is not of that form."""
    head, close, tail = text.rpartition(">")
    name, opened, email = head.partition("<")
    fields = tail.split()
    if not close or not opened or len(fields) != 2 or not _TIME.fullmatch(fields[0]):
        return None
    # A time that no calendar has, in a commit from elsewhere, must not break what shows it.
    time_s = min(max(int(fields[0]), _FIRST_TIME_S), _LAST_TIME_S)
    zone = _ZONE.fullmatch(fields[1])
    seconds = int(zone[2]) * 3600 + int(zone[3]) * 60 if zone else 0
    if zone is None or seconds >= _DAY_S:
        return Signature(name.strip(" "), email, time_s, 0)
    return Signature(name.strip(" "), email, time_s, -seconds if zone[1] == "-" else seconds)


def _clean(text: str) -> str:
    return "".join(char for char in text if char not in "<>\n\0").strip(_CRUD)
