"""An artifact with very many versions: each changes one file of 50, and its blob is in the store."""

from pathlib import Path

from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import encode_pointer
from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.commit import CommitOptions, commit
from aimdvc.ops.workspace import Workspace

WHO = ("Bench", "bench@example.org")
FILES = 50


def lengthen(place: Path, count: int) -> None:
    """Makes the artifact `data` of a workspace, with `count` versions on main, a second apart; HEAD is at the first.

    Commits, trees and pointers are written as `commit` writes them, with one move of the branch for each.
    """
    for number in range(FILES):
        file = place / f"data/d{number % 5}/f{number:02}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"first {number}\n")
    with Workspace.open(place, None, lambda places: WHO) as workspace:
        add(workspace, place, ["data"], AddOptions(), Silent())
        # Clocks that go backwards would be another case: the newest version is of now.
        author = workspace.author()
        commit(workspace, [], CommitOptions("version 1\n", author._replace(time_s=author.time_s - count)), Silent())
        _lengthen(workspace, count)


def _lengthen(workspace: Workspace, count: int) -> None:
    head = workspace.head("data")
    history = workspace.history("data")
    assert head.commit is not None
    first = history.commit(head.commit)
    tip, tree = first.id, first.tree
    moves: list[tuple[GitId, GitId]] = []
    with workspace.blobs.writer() as blobs, history.writer() as writer:
        for number in range(2, count + 1):
            pointer = blobs.add_bytes(b"version %d\n" % number)
            path = f"d{number % 5}/f{number % FILES:02}.bin"
            tree = writer.tree(tree, {path: (int(Mode.FILE), writer.blob(encode_pointer(pointer)))})
            who = Signature(*WHO, first.committer.time_s + number, 0)
            before, tip = tip, writer.commit(CommitDraft(tree, (tip,), who, who, f"version {number}\n"))
            moves.append((before, tip))
    for old, new in moves:
        history.move_refs([RefUpdate("refs/heads/main", old, new)], "commit", workspace.actor())
