"""The REST of what an artifact holds: its versions, aliases, their history, the objects of a version, what differs.

A version is named as everywhere: `v3`, an alias, a branch, `latest`, or the commit of one of these. Lists come a page
at a time, with a cursor for the next. What a commit holds never changes: a diff has an ETag.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice

from aimdvc.errors import CorruptRepository, UnsafeError
from aimdvc.git.graph import Graph
from aimdvc.git.trees import RawEntry, compare_trees, find_entry, iter_files
from aimdvc.model.commits import Commit
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.metadata import parse_metadata
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.own import METADATA, REFERENCES
from aimdvc.model.pointer import Pointer, find_pointer
from aimdvc.model.references import References, parse_references
from aimdvc.server.bodies import JSON
from aimdvc.server.catalogue import Artifact
from aimdvc.server.etags import half_lives, tagged
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.lfs import blob_href
from aimdvc.server.messages import json_response
from aimdvc.server.moves import Wish, find_ref, put_back, read_moves
from aimdvc.server.paging import next_cursor, paged, read_limit, read_number
from aimdvc.server.refs import VERSION_TAG, Ref, highest_version, named_ref, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.routing import Call

_OWN = b".aimd/"
_MOST_SKIPPED = 1_000_000
_MOST_READ_BYTES = 64 << 20
"""After so much was inflated for one answer, the sizes of what Git itself keeps are left out."""


class Opened:
    """An artifact that the caller may see, with its refs and its git objects."""

    def __init__(self, call: Call, artifact: Artifact, refs: Mapping[str, Ref], repository: Repository) -> None:
        self.call = call
        self.artifact = artifact
        self.refs = refs
        self.graph = Graph(repository.read, "the repository")
        tags = {ref.target: name for name, ref in refs.items() if VERSION_TAG.fullmatch(name)}
        self.versions = {commit: name.removeprefix("refs/tags/") for commit, name in tags.items()}
        # All that there is to say of it follows from where it is and where its refs stand.
        self.state = [artifact.id, artifact.path, *((name, ref.target) for name, ref in refs.items())]
        self._read: dict[GitId, tuple[int, Pointer | None]] = {}
        self._left_bytes = _MOST_READ_BYTES

    def commit(self, text: str) -> Commit:
        """Returns the commit that a version's name means. Raises HttpError (404)."""
        found = named_ref(self.refs, text)
        if found is None:
            raise HttpError(404, "the artifact has no such version")
        commit = self.graph.peel(found.target)
        if commit is None:
            raise HttpError(404, "the artifact has no such version")
        return self.graph.commit(commit)

    def told(self, commit: Commit) -> dict[str, object]:
        """Returns what an answer says of a commit."""
        author = commit.author
        return {
            "commit": commit.id,
            "version": self.versions.get(commit.id),
            "time_s": commit.committer.time_s,
            "author": {"name": author.name, "email": author.email},
            "message": commit.message,
            "parents": list(commit.parents),
        }

    def blob(self, tree: GitId, path: str) -> bytes:
        """Returns a file of a tree that Git keeps, b"" where there is none."""
        entry = find_entry(self.graph.tree, tree, path)
        return self.graph.read(entry.git_id)[1] if entry is not None and entry.mode != Mode.TREE else b""

    def entry(self, raw: RawEntry) -> dict[str, object]:
        """Returns what an answer says of a file: its blob's oid and size, and where it can be got for some minutes."""
        told: dict[str, object] = {"path": path_text(raw.path), "mode": f"{raw.mode:06o}", "git_id": raw.git_id}
        if raw.mode == Mode.GITLINK:
            return told
        if raw.git_id not in self._read:
            if self._left_bytes < 0:
                return {**told, "size": None}
            content = self.graph.read(raw.git_id)[1]
            self._left_bytes -= len(content)
            self._read[raw.git_id] = len(content), find_pointer(content)
        size, pointer = self._read[raw.git_id]
        if pointer is None:
            return {**told, "size": size}
        href = blob_href(self.call, self.artifact, pointer)
        return {**told, "oid": pointer.oid, "size": pointer.size, "href": href}


@contextmanager
def open_artifact(call: Call) -> Iterator[Opened]:
    """Opens the artifact of a request's path while the `with` lasts. Raises HttpError (404)."""
    artifact = call.site.artifact(call.caller, call.params["path"])
    refs = read_refs(call.site.database, artifact.id)
    with call.site.storage.repository(artifact.id) as repository:
        yield Opened(call, artifact, refs, repository)


def show_artifact(call: Call) -> Response:
    """Where it is, its newest version with description, type, labels and metadata, and its aliases."""
    with open_artifact(call) as opened:
        main = opened.refs.get(MAIN)

        def told() -> dict[str, object]:
            commit = opened.graph.commit(main.target) if main is not None else None
            return {
                "id": opened.artifact.id,
                "path": opened.artifact.path,
                "versions": highest_version(opened.refs),
                "latest": opened.told(commit) if commit is not None else None,
                "aliases": _aliases(opened),
                **(_metadata(opened, commit.tree) if commit is not None else {}),
            }

        return tagged(call, opened.state, told)


def list_versions(call: Call) -> Response:
    """The versions, the newest first."""
    with open_artifact(call) as opened:
        numbers = {int(name[1:]): commit for commit, name in opened.versions.items()}
        after = read_number(call.request.query.get("cursor"), 1 << 62)
        limit = read_limit(call)
        page = [number for number in sorted(numbers, reverse=True) if number < after][: limit + 1]

        def told() -> dict[str, object]:
            versions = [opened.told(opened.graph.commit(numbers[number])) for number in page[:limit]]
            return {"versions": versions, **next_cursor(page, limit, str)}

        return tagged(call, opened.state, told)


def list_aliases(call: Call) -> Response:
    """The aliases, by name, each with the version that it names."""
    with open_artifact(call) as opened:
        page, following = paged(call, list(_aliases(opened).items()), lambda one: one[0])
        return tagged(call, opened.state, lambda: {"aliases": dict(page), **following})


def list_moves(call: Call) -> Response:
    """Every move of a ref, such as `aliases/production`, or of all: who, when, from, to, why; the newest first."""
    artifact = call.site.artifact(call.caller, call.params["path"])
    limit, before = read_limit(call), read_number(call.request.query.get("cursor"), 1 << 62)
    named = call.request.query.get("ref")
    ref = find_ref(call.site.database, artifact.id, named) if named is not None else None
    page = read_moves(call.site, artifact.id, ref, before, limit + 1)
    moves = [{name: value for name, value in asdict(one).items() if name != "number"} for one in page[:limit]]
    return json_response({"moves": moves, **next_cursor(page, limit, lambda one: str(one.number))}, content_type=JSON)


def restore_ref(call: Call) -> Response:
    """Puts a ref back to a commit that it had; also `main`, and whatever protects it."""
    lease = call.json.get("lease")
    reason = str(call.json.get("reason", ""))
    wish = Wish(str(call.json["ref"]), str(call.json["commit"]), str(lease) if lease is not None else None, reason)
    done = put_back(call.site, call.caller, call.params["path"], wish)
    return json_response({"ref": done.ref, "old": done.old, "new": done.new}, content_type=JSON)


def list_objects(call: Call) -> Response:
    """The objects of a version, by path: files with what they hold, references with their URIs."""
    query = call.request.query
    with open_artifact(call) as opened:
        commit = opened.commit(query.get("version", "latest"))
        prefix, after, limit = query.get("prefix", "").encode(), _path(query.get("cursor")), read_limit(call)

        def wanted(path: bytes) -> bool:
            # Of a directory, whether anything below it may be meant: one tree can name another over and over.
            is_tree = path.endswith(b"/")
            is_meant = path.startswith(prefix) or (is_tree and prefix.startswith(path))
            is_beyond = path > after or (is_tree and after.startswith(path))
            return is_meant and is_beyond and not path.startswith(_OWN)

        def told() -> dict[str, object]:
            page = list(islice(iter_files(opened.graph.tree, commit.tree, wanted=wanted), limit + 1))
            references = [
                asdict(one)
                for key, one in _references(opened, commit.tree).items()
                if key.encode("utf-8", "surrogateescape").startswith(prefix)
            ]
            return {
                **opened.told(commit),
                "objects": [opened.entry(raw) for raw in page[:limit]],
                # They are few: all of them stand on the first page.
                "references": [] if after else references,
                **next_cursor([raw.path for raw in page], limit, _cursor),
            }

        version = opened.versions.get(commit.id)
        site = call.site
        hrefs = half_lives(site.limits.href_seconds), site.signer.generation()
        state = (opened.artifact.path, commit.id, version, hrefs)
        return tagged(call, state, told)


def diff_versions(call: Call) -> Response:
    """What differs between two versions, by path: old and new, one of them null where a file was added or removed."""
    query = call.request.query
    with open_artifact(call) as opened:
        old, new = opened.commit(query.get("old", "")), opened.commit(query.get("new", "latest"))
        skipped, limit = read_number(query.get("cursor"), 0), read_limit(call)
        if skipped > _MOST_SKIPPED:
            raise HttpError(422, f"a diff has no page beyond {_MOST_SKIPPED:,} changes")

        def told() -> dict[str, object]:
            pairs = compare_trees(opened.graph.tree, old.tree, new.tree, wanted=lambda path: not path.startswith(_OWN))
            page = list(islice(pairs, skipped, skipped + limit + 1))
            changes = [{"old": _side(opened, one), "new": _side(opened, other)} for one, other in page[:limit]]
            told: dict[str, object] = {"old": opened.told(old), "new": opened.told(new), "changes": changes}
            return told | next_cursor(page, limit, lambda _: str(skipped + limit))

        state = (old.id, new.id, opened.versions.get(old.id), opened.versions.get(new.id))
        return tagged(call, state, told)


def _side(opened: Opened, raw: RawEntry | None) -> dict[str, object] | None:
    if raw is None:
        return None
    told = opened.entry(raw)
    told.pop("href", None)  # it would end while the answer is still good
    return told


def _aliases(opened: Opened) -> dict[str, object]:
    start = "refs/aliases/"
    found = {
        name[len(start) :]: ref.peeled or ref.target for name, ref in opened.refs.items() if name.startswith(start)
    }
    return {alias: {"commit": commit, "version": opened.versions.get(commit)} for alias, commit in found.items()}


def _metadata(opened: Opened, tree: GitId) -> dict[str, object]:
    try:
        raw = opened.blob(tree, METADATA)
        found = parse_metadata(raw) if raw else None
    except CorruptRepository:  # somebody else's, or damaged: it says nothing
        found = None
    if found is None:
        return {"type": None, "description": "", "labels": [], "metadata": {}}
    return {
        "type": found.type,
        "description": found.description,
        "labels": list(found.labels),
        "metadata": found.metadata,
    }


def _references(opened: Opened, tree: GitId) -> References:
    try:
        return parse_references(opened.blob(tree, REFERENCES))
    except (CorruptRepository, UnsafeError):  # somebody else's, or damaged: there are none
        return {}


def _cursor(path: object) -> str:
    return base64.urlsafe_b64encode(bytes(path)).decode()  # type: ignore[call-overload]


def _path(cursor: str | None) -> bytes:
    try:
        return base64.urlsafe_b64decode(cursor or "")
    except ValueError as error:
        raise HttpError(422, "the cursor is none of ours") from error
