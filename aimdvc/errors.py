"""Every error that aimdvc raises on purpose, in one tree. Exit codes are a public interface (docs/errors.md).

    AimdvcError
    ├── UsageError            2  NoWorkspace, InvalidName, InvalidSelector, UnknownArtifact, UnknownRevision,
    │                            AmbiguousRevision, UnknownPath, UnknownRemote, NoAuthor, ConfigSyntaxError,
    │                            LockConflict
    ├── Refused               1  LocalChange, MergeConflict, CheckFailed
    ├── IntegrityError        3  CorruptBlob, MissingBlob, CorruptRepository, MalformedPointer, WrongSize
    ├── UnsafeError           4  UnsafePath, UnsafeUrl, UnsupportedFormat
    ├── ConcurrentChange      5  RefMoved, RemoteWentBack, Busy, ChangedMeanwhile
    ├── RemoteError           6  RemoteUnreachable, RemoteRefused, ProtocolError
    ├── NotAuthorised         7
    └── StorageError          8  DiskFull, ReadOnlyStorage

An error carries data; its message is made from that data; `hint` says what to run next. What reaches the top and is
not in this tree is a bug: exit 70.
"""

from collections.abc import Mapping, Sequence


class AimdvcError(Exception):
    """The root of the tree. `exit_code` is what the command line ends with; `hint` names the next step."""

    exit_code = 70
    hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        """What was wrong, with what: one line, lower case, without a final period."""
        return str(self.args[0])


class UsageError(AimdvcError):
    """The request can't be carried out as it was put; nothing was changed."""

    exit_code = 2


class NoWorkspace(UsageError):
    """No directory here or above holds `.aimdvc/`."""

    hint = "run `aimdvc init` first"

    def __init__(self, start: str) -> None:
        super().__init__(f"not in an aimdvc workspace: '{start}'")


class InvalidName(UsageError):
    """A name of an artifact, alias or remote breaks the rules."""

    def __init__(self, kind: str, name: str, wanted: str) -> None:
        super().__init__(f"{kind} name '{name}': expected {wanted}")


class InvalidSelector(UsageError):
    """A selector doesn't parse."""

    hint = "a selector is NAME, NAME@REV or NAME@REV:PATH"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"selector '{text}': {reason}")


class UnknownArtifact(UsageError):
    """The workspace has no artifact of this name."""

    hint = "`aimdvc ls` lists the artifacts of the workspace"

    def __init__(self, name: str, hint: str | None = None) -> None:
        super().__init__(f"no artifact '{name}' in this workspace", hint)


class UnknownRevision(UsageError):
    """A revision names no version, alias, branch or commit."""

    hint = "`aimdvc log` lists the versions; `aimdvc fetch` gets the remote's"

    def __init__(self, artifact: str, revision: str, hint: str | None = None) -> None:
        self.revision = revision
        super().__init__(f"artifact '{artifact}' has no revision '{revision}'", hint)


class AmbiguousRevision(UsageError):
    """A commit prefix fits more than one commit."""

    hint = "give more digits"

    def __init__(self, revision: str, candidates: Sequence[str]) -> None:
        super().__init__(f"revision '{revision}' is ambiguous: {', '.join(candidates)}")


class UnknownPath(UsageError):
    """A path names nothing that the command could work on."""

    def __init__(self, path: str, where: str, hint: str | None = None) -> None:
        super().__init__(f"path '{path}' is not in {where}", hint)


class UnknownRemote(UsageError):
    """The workspace has no remote of this name."""

    hint = "run `aimdvc remote add NAME URL`; `aimdvc remote list` shows those there are"

    def __init__(self, name: str, hint: str | None = None) -> None:
        super().__init__(f"no remote '{name}'", hint)


class NoAuthor(UsageError):
    """Nothing says who makes the commit."""

    hint = "run `git config --global user.name NAME` and `git config --global user.email EMAIL`, or set AIMDVC_AUTHOR"

    def __init__(self) -> None:
        super().__init__("no author is known for the commit")


class ConfigSyntaxError(UsageError):
    """A file in Git's config syntax doesn't parse."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{source}, line {line}: {reason}")


class LockConflict(ConfigSyntaxError):
    """aimdvc.lock has a merge that is not settled: both sides moved an artifact."""

    def __init__(self, sides: Mapping[str, tuple[str | None, str | None]], hint: str | None = None) -> None:
        """`sides` has for each artifact what ours and theirs pin, None for the one that removed it."""
        self.sides = dict(sides)
        each = [f"'{name}' ({ours or 'removed'} or {theirs or 'removed'})" for name, (ours, theirs) in sides.items()]
        AimdvcError.__init__(self, f"aimdvc.lock: a merge conflict is not settled: {', '.join(each)}", hint)
        if hint is None:
            first = next(iter(sides), "NAME")
            self.hint = (
                f"settle the merge conflict: `aimdvc checkout {first}@REV` keeps one, `aimdvc merge {first}@REV` joins"
                " both; then `git add aimdvc.lock`"
            )


class Refused(AimdvcError):
    """A question asked to fail, or a local change would be lost; nothing was changed."""

    exit_code = 1


class LocalChange(Refused):
    """Carrying on would lose changes that are stored nowhere."""

    hint = "commit them, or put them aside first; `checkout --force` loses them"

    def __init__(self, what: str, paths: Sequence[str], hint: str | None = None) -> None:
        self.paths = list(paths)
        shown = ", ".join(f"'{path}'" for path in self.paths[:5])
        more = f" and {len(self.paths) - 5} more" if len(self.paths) > 5 else ""
        super().__init__(f"{what}: {shown}{more}", hint)


class ShallowHistory(Refused):
    """What was asked for needs commits beyond the end of a shallow history."""

    hint = "run `aimdvc fetch --unshallow` to bring the rest of the history"

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(f"'{what}' needs commits that are not here: the history is shallow", hint)


class MergeConflict(Refused):
    """Both sides changed the same paths; both contents are kept."""

    def __init__(self, artifact: str, kinds: Mapping[str, str], hint: str) -> None:
        self.paths = list(kinds)
        shown = ", ".join(
            f"'{path}'" + (f" ({kinds[path]})" if kinds[path] != "both modified" else "") for path in self.paths[:5]
        )
        more = f" and {len(self.paths) - 5} more" if len(self.paths) > 5 else ""
        super().__init__(f"artifact '{artifact}': both sides changed {shown}{more}", hint)


class CheckFailed(Refused):
    """A check was asked for and the answer is no."""


class IntegrityError(AimdvcError):
    """Stored content is missing or is not what its name says."""

    exit_code = 3


class CorruptBlob(IntegrityError):
    """The bytes found under an oid have another hash or size."""

    hint = "run it again to fetch the blob from the remote, or `aimdvc fsck --repair` to heal what can be"

    def __init__(self, oid: str, found: str) -> None:
        self.oid = oid
        super().__init__(f"blob {oid}: {found}")


class MissingBlob(IntegrityError):
    """A blob that is needed is not in the store."""

    hint = "run `aimdvc pull` to fetch it"

    def __init__(self, oid: str, hint: str | None = None) -> None:
        self.oid = oid
        super().__init__(f"blob {oid} is not in the store", hint)


class CorruptRepository(IntegrityError):
    """A Git repository, or a database of the store, is damaged."""

    hint = "run `aimdvc fsck`"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"'{path}': {reason}")


class ReferenceChanged(IntegrityError):
    """What a reference names is not what was recorded of it."""

    hint = "if the change is right, record it: `aimdvc ref add`; else look for the old one at its source"

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        super().__init__(f"reference '{key}': {reason}")


class MalformedPointer(IntegrityError):
    """A text that ought to be a Git LFS pointer is not one."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"pointer: {reason}")


class WrongSize(IntegrityError):
    """A pointer gives a blob another size than it has; the blob itself is whole."""

    hint = "whoever made that version has to add the file again; `aimdvc fsck` shows which versions have the pointer"

    def __init__(self, oid: str, said: int, found: int) -> None:
        super().__init__(f"pointer to blob {oid}: says {said} bytes, the blob has {found}")


class UnsafeError(AimdvcError):
    """A name, path, URL or owner that can't be trusted; nothing was changed."""

    exit_code = 4


class UnsafePath(UnsafeError):
    """A path that could reach outside its artifact, or that some system reads as something else."""

    def __init__(self, path: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"path {path!r}: {reason}", hint)


class UnsafeUrl(UnsafeError):
    """A URL that could carry a secret elsewhere, or that is not http(s) or file."""

    def __init__(self, url: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"URL '{url}': {reason}", hint)


class UnsupportedFormat(UnsafeError):
    """Something on disk was written by a later aimdvc."""

    hint = "install a later version of aimdvc"

    def __init__(self, path: str, found: object, known: object) -> None:
        super().__init__(f"'{path}': format {found}, this aimdvc knows {known}")


class ConcurrentChange(AimdvcError):
    """Somebody else changed it meanwhile; nothing of ours was applied. Run it again."""

    exit_code = 5


class RefMoved(ConcurrentChange):
    """A ref is no longer where it was last seen; nothing was changed."""

    hint = "run `aimdvc pull`, then push again"

    def __init__(self, ref: str, reason: str = "it moved meanwhile", hint: str | None = None) -> None:
        self.ref = ref
        super().__init__(f"'{ref}' was not updated: {reason}", hint)


class RemoteWentBack(ConcurrentChange):
    """The remote lost versions that it had, as after a restore from an older backup; nothing was changed."""

    def __init__(self, artifact: str, url: str, versions: Sequence[str]) -> None:
        self.versions = list(versions)
        more = f" and {len(versions) - 3} more" if len(versions) > 3 else ""
        lost = f"{', '.join(versions[:3])}{more}" if versions else "commits of main"
        super().__init__(
            f"'{url}' lacks {lost}, which the remote had: it went back, or is another one; all is kept here",
            f"run `aimdvc push --restore {artifact}` to push what it lacks,"
            f" or `aimdvc fetch --force {artifact}` to follow it",
        )


class Busy(ConcurrentChange):
    """Another process holds what this one needs, for too long."""

    hint = "wait for the other command to end, then run this again"

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(f"{what} is busy", hint)


class ChangedMeanwhile(ConcurrentChange):
    """A file was changed by somebody else while the command worked on it; it is as they left it."""

    hint = "run it again when the writer is done"

    def __init__(self, path: str) -> None:
        super().__init__(f"'{path}' changed meanwhile")


class RemoteError(AimdvcError):
    """The remote, or the way to it, failed. What had arrived is kept."""

    exit_code = 6
    hint = "run it again; what was already transferred is kept"


class RemoteUnreachable(RemoteError):
    """No answer, or the connection broke, after all retries."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"'{url}' can't be reached: {reason}")


class RemoteRefused(RemoteError):
    """The remote understood, and declined."""

    hint = ""

    def __init__(self, url: str, reason: str, hint: str | None = None, is_absent: bool = False) -> None:
        """`is_absent` says that nothing is there, or that this key may not see it."""
        super().__init__(f"'{url}' refused: {reason}", hint)
        self.is_absent = is_absent


class ProtocolError(RemoteError):
    """The remote's answer breaks the protocol."""

    hint = ""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"'{url}' answered wrongly: {reason}")
        self.reason = reason


class NotAuthorised(AimdvcError):
    """No key, a wrong key, or a key that may not do this."""

    exit_code = 7
    hint = "run `aimdvc login URL`"

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what, hint)


class StorageError(AimdvcError):
    """Local storage failed; what was there before is untouched."""

    exit_code = 8

    def __init__(self, path: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"'{path}': {reason}", hint)


class DiskFull(StorageError):
    """No space, no inodes or no quota left."""

    hint = "free some space, then run it again"


class ReadOnlyStorage(StorageError):
    """The file system, or a directory, can't be written."""
