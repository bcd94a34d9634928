"""`Artifact`: a set of files and references that a trial takes in or puts out, one version of an artifact's history.

Open at first: objects are added, on this machine alone. Uploaded, it is a version on a server as any other, and closed.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, BinaryIO

from aimdvc.errors import UsageError
from aimdvc.model.oid import GitId
from aimdvc.model.references import Reference
from aimdvc.ops.publish import set_remote_alias
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk import adding, downloading, uploading
from aimdvc.sdk.arguments import absolute_path, optional_flag, optional_text, text
from aimdvc.sdk.comparing import Difference, compare, iter_states
from aimdvc.sdk.environment import read_environment
from aimdvc.sdk.keys import base_name_of, object_key
from aimdvc.sdk.logins import session
from aimdvc.sdk.objects import ArtifactObject, find_source, iter_objects, iter_sources
from aimdvc.sdk.opening import open_file
from aimdvc.sdk.place import find_places, opened
from aimdvc.sdk.progress import OnProgress, progress_of
from aimdvc.sdk.record import Record, load_record, new_record, parse_dict, references_of, repo_of, to_dict
from aimdvc.sdk.repositories import connect, fetch_version
from aimdvc.sdk.service import Service, service
from aimdvc.sdk.versions import Version, version_of
from aimdvc.store.locate import Places


class Artifact:
    """One artifact, open or a version.

    Attributes: `id` (a UUID), `name` (its repo's), `description`, `commit` and `version` (None until it is uploaded),
    `aliases`, `objects`, `repo` (name and type), `remote` (None until it is uploaded), `is_open`.

    What it holds lies in the workspace around the current directory at the time it was made, else in the user's data
    directory; nothing depends on the current directory afterwards. As a context manager it is uploaded at a clean exit.
    """

    def __init__(
        self,
        artifact_data: Mapping[str, Any],
        repo_data: Mapping[str, Any],
        object_data: Sequence[Mapping[str, Any]] | None = None,
        can_be_logged: bool = True,
    ) -> None:
        """Makes an artifact of dicts as the AIMD service has them; `aimdvc.create_artifact` is the usual way.

        `object_data` has a dict for each object; references (key and uri) are added, files are known by their content.
        Raises ValueError.
        """
        name, kind = repo_of(repo_data)
        empty = new_record(name, kind, "", ())
        references = [] if object_data is None else references_of(object_data)
        self._places: Places = find_places()
        self._record: Record = replace(parse_dict(empty, artifact_data), can_be_logged=can_be_logged)
        with opened(self._places) as workspace:
            uploading.save(workspace, self._record)
            for reference in references if self._record.is_open else ():
                adding.add_reference(workspace, self.id, reference)

    @classmethod
    def _of(cls, places: Places, record: Record) -> "Artifact":
        """Returns the artifact of a record that is kept already."""
        made = cls.__new__(cls)
        made._places, made._record = places, record
        return made

    # What it is

    @property
    def id(self) -> str:
        """A UUID, made on this machine; of a version that wasn't made so, what follows from its commit."""
        return self._record.id

    @property
    def name(self) -> str:
        """The name of its repo, which holds its versions."""
        return self._record.name

    @property
    def description(self) -> str:
        """What it is, in words."""
        return self._record.description

    @property
    def commit(self) -> str | None:
        """The Git commit that it is, None until it is uploaded."""
        return self._record.commit

    @property
    def version(self) -> str | None:
        """Its number, as `v3`, None until it is uploaded."""
        return self._record.version

    @property
    def aliases(self) -> list[str]:
        """The names that it gets when it is uploaded, or had when it was loaded."""
        return list(self._record.aliases)

    @property
    def repo(self) -> dict[str, str]:
        """The `name` and `type` of what holds its versions."""
        return {"name": self._record.name, "type": self._record.type}

    @property
    def remote(self) -> list[dict[str, Any]] | None:
        """Where it is: host, path and version of each upload and load; None until the first."""
        return [dict(one) for one in self._record.remote] or None

    @property
    def is_open(self) -> bool:
        """Whether objects can be added: it is not uploaded yet."""
        return self._record.is_open

    @property
    def can_be_logged(self) -> bool:
        """Whether a trial of this machine may have made it: it was not loaded from a server."""
        return self._record.can_be_logged

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What it holds: `{key, size, digest, sha256}` of a file, `{key, uri}` of a reference.

        `digest` is the MD5 in hex digits, "" of a file that was never on this machine. All of it in one list; `files`
        yields them one by one, without the MD5.
        """
        with self._opened(needs_tree=True) as workspace:
            return [one.to_dict() for one in iter_objects(workspace, self._record, with_md5=True)]

    def files(self) -> Iterator[ArtifactObject]:
        """Yields what it holds, files first, then references, each in the order of the keys; reads no content."""
        with self._opened(needs_tree=True) as workspace:
            yield from iter_objects(workspace, self._record, with_md5=False)

    # What it gets

    def add_file(
        self, file_path: str | os.PathLike[str], key: str | None = None, *, progress: OnProgress | None = None
    ) -> None:
        """Adds a file, by its name; `key` gives another, or in the form `dir/` a directory to lie in.

        What the key had before is replaced. The file is copied (or its blocks shared): it may change afterwards.

        Raises RuntimeError when it is uploaded already, FileNotFoundError, IsADirectoryError, UnsafePath for a key
        that could lead elsewhere.
        """
        self._require_open()
        path = absolute_path("file_path", file_path)
        wanted = object_key(path.name, key)
        with opened(self._places) as workspace:
            adding.add_file(workspace, self.id, path, wanted, progress_of(progress))

    def add_dir(
        self, dir_path: str | os.PathLike[str], key: str | None = None, *, progress: OnProgress | None = None
    ) -> None:
        """Adds all files below a directory, by its name: `add_dir("a")` gives `a/…`; with a key `b/`, `b/a/…`.

        Links to files are read through. Links to directories, a nested `.git` and what is no file (a socket, say) are
        left out, with a warning. An interrupted call is finished by another.

        Raises as `add_file`, and NotADirectoryError.
        """
        self._require_open()
        path = absolute_path("dir_path", dir_path)
        wanted = object_key(path.name, key)
        with opened(self._places) as workspace:
            left_out = adding.add_directory(workspace, self.id, path, wanted, progress_of(progress))
        if left_out:
            more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
            warnings.warn(f"left out of '{wanted}': {', '.join(left_out[:3])}{more}", stacklevel=2)

    def add_reference(
        self, uri: str, key: str | None = None, *, size: int | None = None, sha256: str | None = None
    ) -> None:
        """Adds what a URI names, without its bytes; its key is the last part of the URI's path unless one is given.

        `size` in bytes and `sha256` in hex digits are recorded: what is fetched by it later is checked against them.
        No network is asked. Raises RuntimeError when it is uploaded already, UnsafeUrl, UnsafePath.
        """
        self._require_open()
        wanted = object_key(base_name_of(text("uri", uri)), key)
        if size is not None and type(size) is not int:
            raise TypeError(f"size is {type(size).__name__}, expected a number of bytes")
        optional_text("sha256", sha256)
        with opened(self._places) as workspace:
            adding.add_reference(workspace, self.id, Reference(wanted, uri, size, None, sha256))

    # Where it goes, and comes from

    def upload(
        self,
        folder_id: str | None = None,
        folder_path: str | None = None,
        make_folder: bool = False,
        *,
        progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """Makes it the newest version of its repo on the server, and returns what the server knows of it.

        The repo lies in the folder of an id, else at a path, else in `/default`. A folder that is not there is made
        with `make_folder`, and an error without. After a failure it may be tried again: what was sent is not sent
        again, and there is one version in the end. It is closed then.

        Raises RuntimeError when it is uploaded already, UsageError, NotAuthorised, RemoteError.
        """
        return self._upload(None, folder_id, folder_path, make_folder, progress)

    def _upload(
        self,
        name: str | None,
        folder_id: str | None,
        folder_path: str | None,
        make_folder: bool,
        progress: OnProgress | None,
    ) -> dict[str, Any]:
        self._require_open()
        optional_text("folder_id", folder_id)
        optional_text("folder_path", folder_path)
        optional_flag("make_folder", make_folder)
        with service() as server, opened(self._places) as workspace:
            folder = server.path_of(folder_id) if folder_id else server.ensure_folder(folder_path, make_folder)
            shown = progress_of(progress)
            self._record = uploading.upload(workspace, server, self._record, folder, name or self.name, shown)
            told = server.version(self.id)
            return dict(told.values) if told is not None else to_dict(self._record)

    def download(self, references: bool = False, *, progress: OnProgress | None = None) -> None:
        """Brings its files to this machine, into `local_path()`. One that is there and right is not fetched again.

        Each is checked by size, SHA-256 and MD5, as they are on the disk. With `references`, what the http(s)
        references name is brought, too, and checked against what was recorded of it.
        """
        shown = progress_of(progress)
        with self._opened(needs_tree=True) as workspace, ExitStack() as stack:
            connection = None
            if not self.is_open:
                server = stack.enter_context(service(self._record.host))
                _, connection = connect(workspace, server, self._record.path)
            downloading.download(workspace, self._record, iter_sources(workspace, self._record), connection, shown)
            if references:
                environment = read_environment()
                downloading.fetch_references(workspace, self._record, lambda: session(environment), shown)

    def local_path(self, key: str | None = None) -> str | None:
        """Returns the directory with its files, or the path of one of them; None for a reference or an unknown key.

        Files whose bytes are on this machine are put there; `download` brings the others.
        """
        with self._opened(needs_tree=True) as workspace:
            directory = downloading.directory_of(workspace, self._record)
            if key is None:
                downloading.place(workspace, self._record, iter_sources(workspace, self._record), progress_of(None))
                directory.mkdir(parents=True, exist_ok=True)
                return str(directory)
            source = find_source(workspace, self._record, text("key", key).removeprefix("/"))
            if source is None:
                return None
            downloading.place(workspace, self._record, [source], progress_of(None))
            return str(directory / source.key)

    def open(self, key: str) -> BinaryIO:
        """Returns one file's bytes, to be read and sought in; close it.

        A large one that isn't on this machine is read on the server, and only what is asked for travels; that is not
        checked by a hash, as a part has none. Raises KeyError for what is no file of it, RemoteError, also later on.
        """
        with self._opened(needs_tree=True) as workspace:
            source = find_source(workspace, self._record, text("key", key).removeprefix("/"))
            if source is None:
                raise KeyError(key)
            return open_file(workspace, self._record, source)

    # What is around it

    def versions(self) -> list[Version]:
        """Returns the versions of its repo on the server, the newest first. Raises UsageError before it is uploaded."""
        self._require_closed()
        with service(self._record.host) as server:
            return [version_of(told) for told in server.iter_versions(self._record.path)]

    def diff(self, other: "Artifact") -> Difference:
        """Returns what `other` has otherwise: the keys that it adds, lacks, and changes. No file's content is read."""
        if not isinstance(other, Artifact):
            raise TypeError(f"other is {type(other).__name__}, expected an Artifact")
        with self._opened(needs_tree=True) as mine, other._opened(needs_tree=True) as theirs:
            return compare(iter_states(mine, self._record), iter_states(theirs, other._record))

    def alias(self, name: str) -> None:
        """Makes a name mean this version on the server, wherever it stood before. Safe to repeat.

        Raises UsageError before it is uploaded, InvalidName, NotAuthorised, RemoteRefused where it is protected.
        """
        text("name", name)
        self._require_closed()
        with self._opened(needs_tree=True) as workspace, service(self._record.host) as server:
            repository, connection = connect(workspace, server, self._record.path)
            history, commit = workspace.history(repository), GitId(self._record.commit or "")
            set_remote_alias(connection, history, commit, name, progress_of(None))
            self._record = replace(self._record, aliases=tuple(sorted({*self._record.aliases, name})))
            uploading.save(workspace, self._record)

    # Its forms

    def to_dict(self) -> dict[str, Any]:
        """Returns it as the AIMD service has it, with `_remote`."""
        return to_dict(self._record)

    def parse_from_dict(self, artifact_data: Mapping[str, Any]) -> None:
        """Takes over what a dict says that `to_dict` made. Raises ValueError for one that lacks something."""
        self._record = parse_dict(self._record, artifact_data)
        with opened(self._places) as workspace:
            uploading.save(workspace, self._record)

    def __repr__(self) -> str:
        state = "open" if self.is_open else self.version or self.commit
        return f"<Artifact {self.name} {state} {self.id}>"

    def __enter__(self) -> "Artifact":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.is_open:
            self.upload()

    # Steps of it

    def _require_open(self) -> None:
        if not self.is_open:
            raise RuntimeError(f"{self!r} is uploaded already; make another with create_artifact")

    def _require_closed(self) -> None:
        if self.is_open:
            raise UsageError(f"{self!r} is not uploaded yet", hint="call upload() first")

    @contextmanager
    def _opened(self, needs_tree: bool = False) -> Iterator[Workspace]:
        with opened(self._places) as workspace:
            if needs_tree and not self.is_open:
                self._ensure_tree(workspace)
            yield workspace

    def _ensure_tree(self, workspace: Workspace) -> None:
        record = self._record
        if record.repository and workspace.history(record.repository).has(record.commit):  # type: ignore[arg-type]
            return
        if not record.remote:
            raise UsageError(f"{self!r} is of no server, and not on this machine")
        with service(record.host) as server:
            self._record = bring(workspace, server, record, record.version or record.commit or "latest")


def bring(workspace: Workspace, server: Service, record: Record, revision: str) -> Record:
    """Brings the tree of a version, and returns the record with where it is."""
    found = fetch_version(workspace, server, record.path, revision, progress_of(None))
    record = replace(record, repository=found.repository, commit=found.commit.id)
    uploading.close(workspace, record)
    return record


def stored(places: Places, artifact_id: str) -> Artifact | None:
    """Returns an artifact that is kept on this machine, None when it isn't."""
    with opened(places) as workspace:
        found = workspace.state.records.get(artifact_id)
    return Artifact._of(places, load_record(found)) if found is not None else None


def keep(places: Places, record: Record) -> Artifact:
    """Keeps a record, and returns its artifact."""
    with opened(places) as workspace:
        uploading.save(workspace, record)
    return Artifact._of(places, record)
