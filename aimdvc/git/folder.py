"""A remote that is a folder: a bare repository on a disk, which stock Git uses too. Nothing here needs a process."""

from collections.abc import Sequence
from pathlib import Path

from aimdvc.errors import RemoteRefused
from aimdvc.fs.disk import Disk
from aimdvc.git.deepening import begin_deepening, changing_ends, finish_deepening
from aimdvc.git.graph import Ends
from aimdvc.git.history import History
from aimdvc.git.packs import PackWriter, clean_repository
from aimdvc.git.refnames import telling
from aimdvc.git.transport import RemoteRefs
from aimdvc.model.commits import RefUpdate, Signature
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress

_CAPABILITIES = frozenset({"atomic", "shallow"})


class FolderTransport:
    """An artifact's bare repository in a folder; a push makes it."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def read_refs(self, for_push: bool) -> RemoteRefs:
        """Returns the repository's refs; none when a push will have to make it. Raises RemoteRefused."""
        if not (self._path / "HEAD").exists():
            if for_push:
                return RemoteRefs({}, None, _CAPABILITIES)
            raise RemoteRefused(
                str(self._path), "there is no repository", hint="check the URL, or push first", is_absent=True
            )
        with History.open(self._path, self._disk) as theirs:
            refs = {ref: commit for ref, commit in theirs.refs().items() if theirs.has(commit)}
            return RemoteRefs(refs, theirs.symbolic_head(), _CAPABILITIES)

    def fetch(
        self,
        history: History,
        wants: Sequence[GitId],
        progress: Progress,
        is_whole: bool = False,
        depth: int | None = None,
    ) -> None:
        """Copies what the wanted commits reach and the history lacks, or all, or `depth` commits of it, as one pack."""
        with History.open(self._path, self._disk) as theirs, changing_ends(history, depth is not None):
            clean_repository(history.path)
            if depth is None:
                _copy(theirs, history, wants, progress, is_whole)
                return
            deepening = theirs.deepen(wants, depth, history.shallow)
            before = history.shallow
            begin_deepening(history, deepening)
            _copy(theirs, history, wants, progress, is_whole, deepening.ends(before))
            finish_deepening(history, deepening, str(self._path))

    def push(self, history: History, updates: Sequence[RefUpdate], known: RemoteRefs, progress: Progress) -> None:
        """Copies what is missing, then moves all refs by compare-and-set: numbers before the branch they number."""
        with History.create(self._path, self._disk) as theirs:
            clean_repository(self._path)
            _copy(history, theirs, [update.new for update in updates if update.new is not None], progress)
            ordered = sorted(updates, key=lambda update: update.ref.startswith("refs/heads/"))
            theirs.move_refs(ordered, "push", Signature("aimdvc", "", 0, 0))


def _copy(
    source: History,
    target: History,
    tips: Sequence[GitId],
    progress: Progress,
    is_whole: bool = False,
    ends: Ends | None = None,
) -> None:
    # A wanted commit that is there already is broken there: nothing that the target has counts then.
    is_healing = is_whole or any(target.has(tip) and not target.is_whole_tip(tip) for tip in tips)
    there = {} if is_healing else target.refs()
    have = [commit for commit in telling(there) if source.has(commit)]
    tips = [tip for tip in tips if tip not in set(there.values())]
    ends = Ends(target.shallow, target.shallow) if ends is None else ends
    directory = target.path / "objects" / "pack"
    target.disk.make_directory(directory)
    writer = PackWriter(target.disk, directory)
    progress.start("copy history", None, "files")
    try:
        for git_id in source.iter_missing_objects(tips, have, ends):
            writer.add(*source.read_object(git_id), git_id)
            progress.advance(1)
        if len(writer):
            writer.publish(directory)
    finally:
        writer.discard()
        progress.finish()
