"""`aimdvc status`."""

import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.cli.part import part_line
from aimdvc.errors import IntegrityError
from aimdvc.model.names import MAIN
from aimdvc.ops.codehead import CodeState
from aimdvc.ops.revisions import short_branch
from aimdvc.ops.status import ArtifactStatus, MergeInProgress, Status, status
from aimdvc.ops.targets import Target

_LETTERS = {"added": "A", "modified": "M", "deleted": "D"}
_CONFLICTS = {
    "both modified": "UU",
    "both added": "AA",
    "added by them": "UA",
    "deleted by us": "DU",
    "deleted by them": "UD",
}
"""As `git status --short` writes them."""

_LOCK_LINES = {
    "moved": "aimdvc.lock names another commit: `aimdvc checkout` follows it",
    "elsewhere": "aimdvc.lock names another path: `aimdvc checkout` moves it there",
    "unpinned": "the code doesn't pin it any more: `aimdvc checkout` takes its files away, the store keeps them",
    "missing": "aimdvc.lock doesn't pin it: `aimdvc checkout NAME@REV` or the next commit does",
}
_DELETED = "aimdvc.lock is gone, and the code's HEAD has it: `git checkout HEAD -- aimdvc.lock` brings it back"


@command("status")
@click.argument("paths", nargs=-1, metavar="[PATH…]", type=click.Path())
@click.option(
    "-s",
    "--short",
    is_flag=True,
    help="One line a path: staged and workspace letter (UU AA UA DU UD: a conflict), path.",
)
@zero_option
def status_command(cli: Cli, paths: tuple[str, ...], short: bool, is_zero: bool) -> int:
    """Show what is staged, changed, untracked and pinned

    Changes nothing, and asks no network: ahead and behind are as of the last fetch. Paths are relative to the current
    directory; with -z, the short form, to the workspace; with --json to the artifact. Exits with 3 when a file that is
    a hard link to a blob was edited in place, and the blob with it.

    \b
    Example:
      aimdvc status -s
    """
    targets = cli.targets(paths) if paths else []
    found = status(cli.workspace, list(dict.fromkeys(target.head.name for target in targets)))
    if targets:
        found = replace(found, artifacts=[_below(one, targets) for one in found.artifacts])
    here = _from(cli)
    lines = (f"{letters} {shown_path(here(path))}" for letters, path in _short(found)) if short else _long(found, here)
    fields = (f"{letters} {path}" for letters, path in _short(found)) if is_zero else None
    cli.out.result(
        {"artifacts": found.artifacts, "missing": found.missing, "code_lock": found.code_lock}, lines, fields
    )
    for artifact in found.artifacts:
        for edited in artifact.edited:
            cli.out.note(f"{edited.message}: `aimdvc fsck --repair` or `aimdvc add` keeps both")
    return IntegrityError.exit_code if any(artifact.edited for artifact in found.artifacts) else 0


def _from(cli: Cli) -> Callable[[str], str]:
    """Returns what turns a path of the workspace into one that can be typed here."""
    base = os.path.relpath(os.path.realpath(cli.here), os.path.realpath(cli.workspace.root)).replace(os.sep, "/")
    return (lambda path: path) if base == "." else (lambda path: posixpath.relpath(path, base))


def _below(artifact: ArtifactStatus, targets: list[Target]) -> ArtifactStatus:
    """Returns the status with only what lies at or below the targets."""
    places = [target.inner for target in targets if target.head.name == artifact.artifact]

    def is_wanted(path: str) -> bool:
        return any(path == place or not place or path.startswith(f"{place}/") for place in places)

    return replace(
        artifact,
        staged=[change for change in artifact.staged if is_wanted(change.path)],
        unstaged=[change for change in artifact.unstaged if is_wanted(change.path)],
        untracked=[path for path in artifact.untracked if is_wanted(path)],
    )


def _short(found: Status) -> Iterator[tuple[str, str]]:
    """Yields the two letters and the workspace path of each change, as `git status --short` has them."""
    for artifact in found.artifacts:
        letters: dict[str, list[str]] = {}
        for change in artifact.staged:
            letters.setdefault(change.path, [" ", " "])[0] = _LETTERS[change.kind]
        for change in artifact.unstaged:
            letters.setdefault(change.path, [" ", " "])[1] = _LETTERS[change.kind]
        for change in artifact.merging.conflicts if artifact.merging is not None else ():
            letters[change.path] = [*_CONFLICTS[change.kind]]
        for path in sorted(letters):
            yield "".join(letters[path]), _place(artifact, path)
        # What was taken out of the index alone is deleted there, and untracked.
        for path in artifact.untracked:
            yield "??", _place(artifact, path)


def _place(artifact: ArtifactStatus, path: str) -> str:
    base = artifact.path
    if path == base.rpartition("/")[2] and not artifact.is_directory:
        return base
    return path if base == "." else f"{base}/{path}"


def _long(found: Status, here: Callable[[str], str]) -> Iterator[str]:
    if not found.artifacts and not found.missing:
        yield "No artifacts yet: `aimdvc add PATH` makes one"
    for artifact in found.artifacts:
        yield from _artifact(artifact, found.code_lock, here)
    if found.code_lock is CodeState.DELETED and any(artifact.code_pin for artifact in found.artifacts):
        yield _DELETED
    for name in found.missing:
        yield f"{name}: pinned in aimdvc.lock, not here: `aimdvc pull` brings it"


def _artifact(artifact: ArtifactStatus, code: CodeState, here: Callable[[str], str]) -> Iterator[str]:
    at = f"at {artifact.version}" if artifact.version else "no version yet"
    if artifact.branch is None and artifact.commit is not None:
        at += ", detached"
    if artifact.branch not in (None, MAIN):
        at += f" on {short_branch(artifact.branch)}"
    named = f" ({', '.join(artifact.aliases)})" if artifact.aliases else ""
    yield f"{artifact.artifact}: '{artifact.path}' {at}{named}"
    yield f"  {_side_by_side(artifact)}"
    yield from _code_pin(artifact, code)
    if artifact.ahead or artifact.behind:
        parts = ((artifact.ahead, "ahead of"), (artifact.behind, "behind"))
        place = " and ".join(f"{count} {word}" for count, word in parts if count)
        hint = "`aimdvc pull`" if artifact.behind else "`aimdvc push`"
        yield f"  {place} the remote: {hint}"
    if artifact.has_remote_gone_back:
        yield f"  {artifact.remote} went back when last asked: `aimdvc push --restore` or `aimdvc fetch --force`"
    for one in artifact.alias_differences:
        ours = f"{one.here} here" if one.here else "not here"
        there = f"{one.there} on {artifact.remote}" if one.there else f"not on {artifact.remote}"
        what = "`aimdvc push` sends it" if one.is_settled else "`aimdvc alias set` or `delete` decides"
        yield f"  alias {one.alias}: {ours}, {there}: {what}"
    if artifact.merging is not None:
        yield from _merging(artifact, artifact.merging, here)
    yield from part_line(artifact.part, artifact.absent)
    if artifact.lock in _LOCK_LINES:
        yield f"  {_LOCK_LINES[artifact.lock]}"
    groups = [
        ("staged, for the next `aimdvc commit`", [(change.kind, change.path) for change in artifact.staged]),
        ("changed, not staged (`aimdvc add`)", [(change.kind, change.path) for change in artifact.unstaged]),
        ("untracked (`aimdvc add`)", [("", path) for path in artifact.untracked]),
    ]
    for title, changes in groups:
        if not changes:
            continue
        yield f"  {title}: {plural(len(changes), 'file')}"
        for kind, path in changes[:50]:
            yield f"    {kind + ': ' if kind else ''}{shown_path(here(_place(artifact, path)))}"
        if len(changes) > 50:
            yield f"    … and {len(changes) - 50:,} more (`aimdvc status -s` lists all)"


def _side_by_side(artifact: ArtifactStatus) -> str:
    """Returns how pin, workspace and remote stand, in a line."""
    pinned = f"pinned {artifact.pin.version}" if artifact.pin is not None else "not pinned"
    here = "clean" if artifact.is_clean else "working tree has changes"
    there = (
        f"{artifact.remote_version} on {artifact.remote}" if artifact.remote_version else f"not on {artifact.remote}"
    )
    return f"{pinned}, {here}, {there}"


def _code_pin(artifact: ArtifactStatus, code: CodeState) -> Iterator[str]:
    """Yields the line that says that the code's HEAD pins something else than aimdvc.lock, where it does."""
    ours, theirs = artifact.pin, artifact.code_pin
    if code not in (CodeState.DIFFERENT, CodeState.NEW) or ours == theirs:
        return
    if ours is None:
        yield f"  pinned {theirs.version if theirs else ''} in the code's HEAD, not in aimdvc.lock"
    elif theirs is None:
        yield f"  not pinned in the code's HEAD, {ours.version} in aimdvc.lock, not committed"
    else:
        yield f"  pinned {theirs.version} in the code's HEAD, {ours.version} in aimdvc.lock, not committed"


def _merging(artifact: ArtifactStatus, merging: MergeInProgress, here: Callable[[str], str]) -> Iterator[str]:
    yield f"  {merging.kind} of {merging.title} in progress (`aimdvc merge --abort {artifact.artifact}` undoes it)"
    if not merging.conflicts:
        yield "    all conflicts are settled: `aimdvc commit` finishes it"
        return
    how = "`aimdvc merge --ours|--theirs -- PATH`, or `aimdvc add PATH`"
    yield f"    {plural(len(merging.conflicts), 'conflict')}, now as ours ({how}):"
    for change in merging.conflicts[:50]:
        yield f"    {change.kind}: {shown_path(here(_place(artifact, change.path)))}"
    if len(merging.conflicts) > 50:
        yield f"    … and {len(merging.conflicts) - 50:,} more (`aimdvc status --json` lists all)"
