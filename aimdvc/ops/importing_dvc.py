"""Files that DVC keeps, named by `.dvc` files or the `dvc.lock` of a pipeline, as a source of `import`.

The YAML of DVC is read by PyYAML, the extra `dvc`.
"""

import hashlib
import importlib
import json
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import MissingBlob, Refused, StorageError, UsageError
from aimdvc.git.catfile import CatFile
from aimdvc.git.cleanliness import changed_below
from aimdvc.git.linehistory import is_shallow, iter_files_of_line
from aimdvc.git.program import Git
from aimdvc.model.commits import Commit
from aimdvc.model.dvcfiles import DvcOutput, files_of_listing, outputs_of_dvc_file, outputs_of_lock, parse_dvc_config
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import GitId
from aimdvc.model.paths import check_entry_path
from aimdvc.ops.codeplace import CodePlace, code_place
from aimdvc.ops.importing import Content, Snapshot, SourceFile
from aimdvc.ops.workspace import Workspace
from aimdvc.store.dvccache import DvcCache, iter_checked

_YAML_LIMIT = 64 << 20
_LISTING_LIMIT = 1 << 30


class _State(NamedTuple):
    """A commit of the code, and what DVC had at the path then."""

    commit: Commit
    output: DvcOutput


@dataclass
class DvcSource:
    """What DVC keeps at a path of the workspace."""

    workspace: Workspace
    path: str
    environment: Mapping[str, str]
    is_whole: bool = True
    notes: list[str] = field(default_factory=list)

    def require_ready(self) -> None:
        """Raises UsageError where DVC keeps nothing, Refused for changes, MissingBlob where a content is not here."""
        if not self._states:
            raise UsageError(
                f"DVC keeps nothing at '{self.path}', as far as the code's commits say",
                hint="name an output as `dvc list . --dvc-only` does; only what is committed in Git counts",
            )
        place, named = self._place, self._named
        changed = [one for name in named for one in changed_below(*self._git, path_bytes(name))]
        if changed:
            raise Refused(
                f"'{os.fsdecode(changed[0])}' has changes that are not committed in Git",
                hint="commit or stash them, then run it again; nothing was changed",
            )
        missing = {
            file.key.partition(":")[0]
            for state in self._states
            for file in self._files(state.output).values()
            if self._cache.find(file.key.partition(":")[0]) is None
        }
        if missing:
            raise _missing(min(missing), len(missing), self._remotes_elsewhere)
        self._require_as_committed()
        if is_shallow(place.common_dir) and self.is_whole:
            self.notes.append("the clone of the code is shallow: older versions were not imported")

    def snapshots(self) -> Iterator[Snapshot]:
        """Yields the commits that changed what DVC keeps at the path, oldest first."""
        before: dict[str, SourceFile] = {}
        for state in self._states:
            now = self._files(state.output)
            changes: dict[str, SourceFile | None] = dict.fromkeys(before.keys() - now.keys())
            changes |= {path: file for path, file in now.items() if before.get(path) != file}
            yield Snapshot(state.commit, changes)
            before = now

    @contextmanager
    def reading(self) -> Iterator[Callable[[SourceFile], Content]]:
        """Gives what reads a file from DVC's cache."""
        yield self._read

    def let_go(self) -> None:
        """Removes the `.dvc` file, and links into DVC's cache from the work tree; of pipelines nothing."""
        for path in self._disk_files():
            place = self._on_disk(path)
            if place.is_symlink() or (place.is_file() and place.stat().st_nlink > 1):
                self.workspace.disk.unlink(place)
        own = self._work_tree / f"{self._inside}.dvc"
        if self._output_file != f"{self._inside}.dvc":
            self.notes.append(
                f"'{self._output_file}' names '{self.path}' still: take it out there, or DVC and aimdvc both keep it"
            )
        elif own.exists():
            Git(self._work_tree, self.environment).do("rm", "--quiet", "--", f":(top,literal){self._inside}.dvc")
            if own.exists():
                raise StorageError(str(own), "is there still", hint=f"run `git rm {self._inside}.dvc`")

    @property
    def _place(self) -> CodePlace:
        return code_place(self.workspace)

    @property
    def _git(self) -> tuple[Path, Path, Path]:
        return self._place.git_dir, self._place.common_dir, self._work_tree

    @property
    def _work_tree(self) -> Path:
        work_tree = self.workspace.places.work_tree
        assert work_tree is not None, "code_place has looked"
        return work_tree

    @cached_property
    def _inside(self) -> str:
        path = self.path.removesuffix(".dvc")
        return os.path.relpath(self.workspace.root / path, self._work_tree).replace(os.sep, "/")

    @cached_property
    def _root(self) -> Path:
        """The directory of the DVC repository: the nearest with `.dvc/` above the path."""
        for parent in (self._work_tree / self._inside).parents:
            if (parent / ".dvc").is_dir():
                return parent
            if parent == self._work_tree:
                break
        raise UsageError(f"no directory above '{self.path}' is a DVC repository", hint="it would hold `.dvc/`")

    @cached_property
    def _candidates(self) -> list[str]:
        """The files of the code that may name the path: its own, then the locks of pipelines, the nearest first."""
        parent, name = posixpath.split(self._inside)
        found = [posixpath.join(parent, f"{name}.dvc")]
        top = os.path.relpath(self._root, self._work_tree).replace(os.sep, "/")
        while True:
            found.append(posixpath.join(parent, "dvc.lock"))
            if parent in ("", top):
                return found
            parent = posixpath.dirname(parent)

    @cached_property
    def _states(self) -> list[_State]:
        """Each commit that changed what DVC had at the path, oldest first."""
        place = self._place
        found: list[_State] = []
        parsed: dict[tuple[str, GitId], DvcOutput | None] = {}
        with CatFile(place.common_dir, self.environment) as objects:
            line = iter_files_of_line(place.git_dir, place.common_dir, self._candidates, self.is_whole)
            for commit, files in line:
                output = None
                for name, git_id in files.items():
                    if (name, git_id) not in parsed:
                        parsed[name, git_id] = self._parse(objects, name, git_id)
                    output = output or parsed[name, git_id]
                if output is None:
                    continue
                if found and found[-1].output == output:
                    found.pop()
                found.append(_State(commit, output))
        kind = found[0].output.is_directory if found else False
        return [state for state in reversed(found) if state.output.is_directory == kind]

    @cached_property
    def _output_file(self) -> str:
        """The file that names the path at HEAD."""
        place = self._place
        with CatFile(place.common_dir, self.environment) as objects:
            for _, files in iter_files_of_line(place.git_dir, place.common_dir, self._candidates, False):
                for name, git_id in files.items():
                    if self._parse(objects, name, git_id) is not None:
                        return name
        return self._candidates[0]

    @property
    def _named(self) -> list[str]:
        return [self._output_file]

    def _parse(self, objects: CatFile, name: str, git_id: GitId) -> DvcOutput | None:
        size, chunks = objects.open(git_id)
        if size > _YAML_LIMIT:
            raise UsageError(f"'{name}' has {size >> 20} MiB, and at most 64 MiB are read")
        value = _load_yaml(name, b"".join(chunks))
        outputs = (outputs_of_dvc_file if name.endswith(".dvc") else outputs_of_lock)(name, value)
        directory = posixpath.dirname(name)
        for output in outputs:
            if output.md5 and posixpath.normpath(posixpath.join(directory, output.path)) == self._inside:
                return output
        return None

    @cached_property
    def _cache(self) -> DvcCache:
        dot = self._root / ".dvc"
        own = self._config.get(("cache", ""), {}).get("dir")
        places = [dot / own if own else dot / "cache"]
        for (section, _), values in self._config.items():
            url = values.get("url", "")
            if section == "remote" and url and "://" not in url:
                places.append(dot / url)
        return DvcCache(places)

    @cached_property
    def _config(self) -> dict[tuple[str, str], dict[str, str]]:
        found: dict[tuple[str, str], dict[str, str]] = {}
        for name in ("config", "config.local"):
            path = self._root / ".dvc" / name
            for section, values in (parse_dvc_config(path.read_bytes()) if path.is_file() else {}).items():
                found.setdefault(section, {}).update(values)
        return found

    @property
    def _remotes_elsewhere(self) -> bool:
        return any(
            section == "remote" and "://" in values.get("url", "") for (section, _), values in self._config.items()
        )

    @cached_property
    def _listings(self) -> dict[str, dict[str, SourceFile]]:
        return {}

    def _files(self, output: DvcOutput) -> dict[str, SourceFile]:
        """Returns the files of an output by path; the key is the MD5, with `:legacy` where DVC took LF for CR LF."""
        mark = ":legacy" if output.is_legacy else ""
        if not output.is_directory:
            mode = Mode.EXECUTABLE if output.is_executable else Mode.FILE
            return {posixpath.basename(self._inside): SourceFile(int(mode), output.md5 + mark)}
        known = self._listings.get(output.md5)
        if known is None:
            listing = self._cache.find(output.md5, is_directory=True)
            if listing is None:
                raise _missing(f"{output.md5}.dir", 1, self._remotes_elsewhere)
            if listing.stat().st_size > _LISTING_LIMIT:
                raise UsageError(f"'{listing}' has over 1 GiB, which no listing has")
            raw = b"".join(iter_checked(listing, output.md5, False))
            entries = files_of_listing(str(listing), _load_json(str(listing), raw))
            known = self._listings[output.md5] = {
                check_entry_path(path): SourceFile(int(Mode.FILE), md5 + mark) for path, md5 in entries
            }
        return known

    def _read(self, file: SourceFile) -> Content:
        md5, _, mark = file.key.partition(":")
        found = self._cache.find(md5)
        if found is None:
            raise _missing(md5, 1, self._remotes_elsewhere)
        return found.stat().st_size, iter_checked(found, md5, bool(mark))

    def _disk_files(self) -> dict[str, SourceFile]:
        return self._files(self._states[-1].output)

    def _on_disk(self, path: str) -> Path:
        base = self._work_tree / self._inside
        return base / path if self._states[-1].output.is_directory else base

    def _require_as_committed(self) -> None:
        """Raises Refused where a file on disk is another than DVC's: nothing that only lies there is written over."""
        for path, file in self._disk_files().items():
            place = self._on_disk(path)
            if not place.exists() or self._cache.holds(place):
                continue
            if not self._is_same(place, file):
                raise Refused(
                    f"'{place.relative_to(self._work_tree)}' is another than DVC has committed",
                    hint="`dvc commit` and `git commit` it, or `dvc checkout` it; nothing was changed",
                )

    def _is_same(self, place: Path, file: SourceFile) -> bool:
        md5, _, mark = file.key.partition(":")
        if not place.is_file():
            return False
        found = self._cache.find(md5)
        # Two contents that count as one for DVC before 3 are two: what the cache has is what is imported.
        if found is not None and found.stat().st_size != place.stat().st_size:
            return False
        digest = hashlib.md5(usedforsecurity=False)
        for chunk in iter_plain(place):
            digest.update(chunk)
        if digest.hexdigest() == md5:
            return True
        return bool(mark) and found is not None and _are_equal(found, place)


def iter_plain(path: Path) -> Iterator[bytes]:
    """Yields a file in chunks."""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _are_equal(one: Path, other: Path) -> bool:
    return all(a == b for a, b in zip(iter_plain(one), iter_plain(other), strict=False))


def _load_yaml(source: str, raw: bytes) -> object:
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"`import dvc` needs '{error.name}', not installed", hint="run `pip install 'aimdvc[dvc]'`"
        ) from error
    try:
        # Safe: plain values alone. The loader in C where PyYAML was built with it.
        loaded: object = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return loaded
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"'{source}' is no YAML", hint="`dvc status` tells what DVC makes of it") from error


def _load_json(source: str, raw: bytes) -> object:
    try:
        loaded: object = json.loads(raw)
        return loaded
    except (ValueError, RecursionError) as error:
        raise UsageError(f"'{source}' is no JSON, as DVC's listings are") from error


def _missing(name: str, count: int, has_remotes: bool) -> MissingBlob:
    hint = (
        "`dvc fetch --all-commits` brings what is missing" if has_remotes else "`dvc status -c` tells where they may be"
    )
    error = MissingBlob(name, f"{hint}; nothing was changed")
    error.args = (f"DVC has {count:,} of the contents not here, such as {name}",)
    return error
