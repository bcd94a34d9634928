"""`reflog` and `tag`: where a branch or an alias stood, and which commits have tags. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from aimdvc.errors import UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import Signature
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.ops.revisions import labels
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace

_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a branch or an alias: `name` is how the place it went to is written, such as `main@{0}`.

    `old` and `new` are None where it was made or deleted; `old_version` and `new_version` are what people call them.
    """

    name: str
    old: GitId | None
    new: GitId | None
    old_version: str
    new_version: str
    who: Signature
    why: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """One tag, and the commit that it names: when it was committed, in seconds since the epoch, and its subject."""

    tag: str
    commit: GitId
    time_s: int
    subject: str


def reflog(workspace: Workspace, name: str, ref: str | None, limit: int | None) -> list[Move]:
    """Returns the moves of HEAD in this workspace, or of a branch, an alias or a remote's branch, newest first.

    Those of a deleted branch are kept, too. Raises UnknownRevision for what never was.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    if ref in (None, "HEAD"):
        short = "HEAD"
        found = [(one.old, one.new, one.who, one.why) for one in workspace.state.moves.newest(head.id, limit)]
    else:
        short = str(ref)
        lines = next((lines for full in _full_names(short) if (lines := history.reflog(full))), None)
        if lines is None:
            hint = f"`aimdvc branch -a {name}` and `alias list {name}` list what has moves"
            raise UnknownRevision(name, short, hint=hint)
        found = [(one.old, one.new, one.who, one.message) for one in islice(reversed(lines), limit)]
    named = labels(history)

    def version(commit: GitId | None) -> str:
        return named.get(commit, commit[:12]) if commit is not None else ""

    return [
        Move(f"{short}@{{{count}}}", old, new, version(old), version(new), who, why)
        for count, (old, new, who, why) in enumerate(found)
    ]


def _full_names(short: str) -> list[str]:
    remote, slash, branch = short.partition("/")
    found = [f"refs/aliases/{short}", f"refs/heads/{short}"]
    return [*found, f"refs/remotes/{remote}/heads/{branch}"] if slash else found


def list_tags(workspace: Workspace, name: str, limit: int | None) -> list[Tagged]:
    """Returns the tags of an artifact, versions with the highest number first, then others by name."""
    history = workspace.history(workspace.head(name).name)
    return list(islice(_tags(history), limit))


def _tags(history: History) -> Iterator[Tagged]:
    numbered: list[str] = []
    others: list[str] = []
    refs = history.refs(_TAGS)
    for ref in refs:
        tag = ref[len(_TAGS) :]
        (numbered if VERSION_TAG.fullmatch(_TAGS + tag) else others).append(tag)
    for tag in [*sorted(numbered, key=lambda tag: int(tag[1:]), reverse=True), *sorted(others)]:
        commit_id = history.peel(refs[_TAGS + tag])
        if commit_id is not None:
            commit = history.commit(commit_id)
            yield Tagged(tag, commit.id, commit.committer.time_s, commit.subject)
