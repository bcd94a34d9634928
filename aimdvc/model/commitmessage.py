"""Lines of ours in the message of a code commit: where they go, so that Git keeps them. Pure text."""

import re
from collections.abc import Mapping

_COMMENTS = "#;@!$%^&|:"
"""What core.commentChar may be, also when Git chooses it by itself (git-config(1))."""

_SCISSORS = re.compile(r"([#;@!$%^&|:]) -{24} >8 -{24}")
_TRAILER = re.compile(r"[A-Za-z0-9-]+ *: .*|\(cherry picked from commit [0-9a-f]{7,64}\)|[ \t]+\S.*")
_SIGNED = re.compile(r"(Signed-off-by|[A-Za-z-]+-by|Change-Id|Fixes|Closes|Refs): ")
_ARROW = "→"


def with_lines(message: str, lines: Mapping[str, str], has_comments: bool) -> str:
    """Returns a message with a paragraph of these lines, by artifact; one that it tells of already is left out.

    They go after what is written and before trailers such as `Signed-off-by`, and with `has_comments` before Git's own
    remarks, which it strips. Nothing is changed when there is nothing to add.
    """
    has_remarks = has_comments or _SCISSORS.search(message) is not None
    written, remarks = _split(message) if has_remarks else (message, "")
    told = {line.partition(":")[0] for line in written.splitlines() if _ARROW in line or ": new at " in line}
    new = [line for name, line in lines.items() if name not in told and line not in written.splitlines()]
    if not new:
        return message
    body, trailers = _without_trailers(written.rstrip("\n"))
    parts = [body, "\n".join(new), trailers]
    # The first line is the user's to write: what a commit is about is not that a version moved.
    text = "\n\n".join(part for part in parts if part) + "\n"
    head = "\n\n" if not body.strip() else ""
    return head + text + ("\n" + remarks.lstrip("\n") if remarks else "")


def _split(message: str) -> tuple[str, str]:
    """Returns what is written, and Git's remarks at the end: with `commit -v` a whole diff."""
    lines = message.splitlines(keepends=True)
    end = next((at for at, line in enumerate(lines) if _SCISSORS.fullmatch(line.rstrip("\n"))), len(lines))
    start = end
    while start > 0 and _is_remark(lines[start - 1], lines[end - 1]):
        start -= 1
    return "".join(lines[:start]), "".join(lines[start:])


def _is_remark(line: str, last: str) -> bool:
    return line[:1] == last[:1] and line[0] in _COMMENTS and line[1:2] in (" ", "\t", "\n", "")


def _without_trailers(written: str) -> tuple[str, str]:
    """Returns the body and the trailers, which have to stay the last paragraph."""
    before, gap, last = written.rpartition("\n\n")
    rows = last.splitlines()
    is_trailers = bool(gap) and bool(rows) and all(_TRAILER.fullmatch(row) for row in rows)
    if is_trailers and any(_SIGNED.match(row) for row in rows):
        return before.rstrip("\n"), last
    return written, ""
