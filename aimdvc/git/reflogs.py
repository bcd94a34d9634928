"""The lines of a reflog, as Git writes them: where a ref was, where it went, who, when and why."""

from typing import NamedTuple

from aimdvc.git.signatures import parse_signature
from aimdvc.model.commits import Signature
from aimdvc.model.oid import GitId, is_git_id

ZERO = "0" * 40
"""What stands for no commit."""


class ReflogLine(NamedTuple):
    """One move of a ref, oldest first in its log."""

    old: GitId | None
    new: GitId | None
    who: Signature
    message: str


def parse_reflog(text: str) -> list[ReflogLine]:
    """Returns the moves that a log tells of; a line that was cut is left out."""
    lines = []
    for line in text.splitlines():
        head, _, message = line.partition("\t")
        old, _, rest = head.partition(" ")
        new, _, who = rest.partition(" ")
        signature = parse_signature(who)
        if is_git_id(old) and is_git_id(new) and signature is not None:
            lines.append(ReflogLine(_known(old), _known(new), signature, message))
    return lines


def _known(git_id: str) -> GitId | None:
    return None if git_id == ZERO else GitId(git_id)
