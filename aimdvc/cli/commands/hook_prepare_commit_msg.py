"""`aimdvc hook prepare-commit-msg`."""

from pathlib import Path

import click

from aimdvc.cli.hooked import Hooked, hook
from aimdvc.fs.faults import mapped
from aimdvc.model.commitmessage import with_lines
from aimdvc.ops.hook_commit_msg import is_replayed, moved_lines

_TOLD = ("merge", "squash", "commit")
"""Messages made of other commits', which have their lines: a merge, `merge --squash`, `commit --amend` and `-C`."""


@hook("prepare-commit-msg", "aimdvc-commit-msg")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.argument("sha", required=False)
def hook_prepare_commit_msg_command(hooked: Hooked, file: Path, source: str | None, sha: str | None) -> int:
    """Say in a code commit's message which artifacts move

    Adds a line to the message in FILE for each artifact that the staged aimdvc.lock moves, as `images: v3 → v4, +120
    −3 ~17 files`: after what is written, and before trailers. Nothing for a merge, a squash, an amended commit, a
    rebase or a cherry-pick, whose messages have their lines, and never a second line for an artifact.

    \b
    Example:
      echo "Train on more images" > message.txt
      aimdvc hook prepare-commit-msg message.txt message
    """
    source = source or hooked.variables.get("PRE_COMMIT_COMMIT_MSG_SOURCE")
    if source in _TOLD or is_replayed(hooked.project):
        return 0
    path = hooked.cli.here / file
    lines: dict[str, str] = {}
    with hooked.workspaces() as workspaces:
        for workspace in workspaces:
            found = moved_lines(hooked.project, workspace, hooked.index_path)
            lines |= {hooked.place(workspace) + name: hooked.place(workspace) + line for name, line in found.items()}
    if lines:
        _add(path, lines, source)
    hooked.cli.out.result({"lines": list(lines.values())}, [])
    return 0


def _add(path: Path, lines: dict[str, str], source: str | None) -> None:
    with mapped(path):
        old = path.read_bytes().decode("utf-8", "surrogateescape")
        new = with_lines(old, lines, has_comments=source != "message")
        if new != old:
            # Git's own file, which it reads next, in its own Git directory: nothing of it has to last.
            path.write_bytes(new.encode("utf-8", "surrogateescape"))
