"""What a command works with: where it runs, its environment, the open workspace, connections and output."""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType

from aimdvc.cli.output import Output
from aimdvc.errors import InvalidName, UnknownArtifact, UnsafePath, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress, Silent
from aimdvc.model.selector import Selector, is_revision, parse_selector
from aimdvc.ops.blobs import Means
from aimdvc.ops.lockfile import known_pins
from aimdvc.ops.progressbar import Bar
from aimdvc.ops.targets import Target, default_artifact, find_target, targets_of, workspace_path
from aimdvc.ops.workspace import Workspace
from aimdvc.store.locate import Places
from aimdvc.store.state import Head

_VERSION = re.compile(r"v[0-9]+|latest")
PATHS_HINT = "paths come after `--`"


class Cli:
    """One run of a command in directory `here`; `paths` were given after `--`. The only reader of the environment.

    `takes_paths` says whether the command takes any there.
    """

    def __init__(self, here: Path, as_json: bool, paths: tuple[str, ...], takes_paths: bool = False) -> None:
        self.here = here
        self.paths = paths
        self.takes_paths = takes_paths
        self.as_json = as_json
        self.out = Output(as_json)
        self.environment = dict(os.environ)
        self.disk = Disk()
        self.typed_url: str | None = None
        """A remote's URL that stood on the command line: the user trusts its origin."""
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """The workspace that holds `here`. Raises NoWorkspace."""
        if self._workspace is None:
            self._workspace = Workspace.open(self.here, self.disk, self.author, self.user_config)
        return self._workspace

    @property
    def user_directory(self) -> Path:
        """Where the user's own files of aimdvc lie: `$XDG_CONFIG_HOME/aimdvc`."""
        return Path(self.environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")) / "aimdvc"

    @property
    def user_config(self) -> Path:
        """The user's own settings."""
        return self.user_directory / "config"

    def author(self, places: Places | None) -> tuple[str, str] | None:
        """Returns who commits: Git's user, else AIMDVC_AUTHOR (`Name <mail>`), else None. Raises UsageError."""
        # Reading Git's settings takes a library that most commands don't need: it is loaded when a commit asks.
        user = importlib.import_module("aimdvc.git.user")
        found: tuple[str, str] | None = user.find_author(places.git_common_dir if places else None, self.environment)
        return found

    @cached_property
    def progress(self) -> Progress:
        """A bar on a terminal, silence in a pipe."""
        return Bar(sys.stderr) if sys.stderr.isatty() and not self.as_json else Silent()

    @property
    def means(self) -> Means:
        """How blobs that aren't here are brought."""

        def fetch(workspace: Workspace, head: Head, pointers: Sequence[Pointer], progress: Progress) -> None:
            # Loaded only when a blob has to come from elsewhere: it takes longer than all the rest of a command.
            network = importlib.import_module("aimdvc.cli.network")
            with network.connector(self) as connector:
                network.blob_fetcher(connector)(workspace, head, pointers, progress)

        return Means(fetch, self.progress, self.user_config)

    def selector(self, text: str | None, path_hint: str | None = PATHS_HINT) -> tuple[str, Selector]:
        """Returns (artifact, selector) of what was typed; None, or no name in it, means the artifact of `here`.

        Raises UsageError with `path_hint` for a selector with a path; `path_hint` None takes one. A path that was
        dropped in silence would make `reset --hard NAME:PATH` reset everything.
        """
        parsed = Selector(None, None, None) if text is None else self._parsed(text)
        if parsed.path is not None and path_hint is not None:
            if parsed.name is not None and parsed.revision is None and _VERSION.fullmatch(parsed.path):
                path_hint = f"for a version write '{parsed.name}@{parsed.path}'"
            raise UsageError(f"selector '{text}': expected no path", hint=path_hint)
        if parsed.name is not None:
            return self._known(parsed.name, True), parsed
        if text is None and self.paths:
            return self.targets(self.paths)[0].head.name, parsed
        return default_artifact(self.workspace, self.here).name, parsed

    def branch(self, text: str | None) -> tuple[str, str | None]:
        """Returns (artifact, revision) of what was typed where a branch may stand alone, as in Git: `[NAME@]REV`."""
        name, revision = self.branch_parts(text)
        return name or self.selector(None)[0], revision

    def branch_parts(self, text: str | None) -> tuple[str | None, str | None]:
        """Returns what `[NAME@]REV` names, None for a part that it leaves out.

        A word that is an artifact's name is that artifact; write `@WORD` for a branch of that name.
        """
        if text is None:
            return None, None
        if "@" not in text.replace("@{", "") and self.workspace.state.head(text) is None:
            text = f"@{text}"
        parsed = self._parsed(text)
        if parsed.path is not None:
            raise UsageError(
                f"selector '{text}': expected no path", hint="a whole version is meant: leave the path out"
            )
        return self._known(parsed.name, True) if parsed.name is not None else None, parsed.revision

    def _parsed(self, text: str) -> Selector:
        try:
            return parse_selector(text)
        except InvalidName as error:
            error.hint = self._meant(text, True) or error.hint
            raise

    def _known(self, name: str, or_revision: bool) -> str:
        try:
            return self.workspace.head(name).name
        except UnknownArtifact as error:
            error.hint = self._meant(name, or_revision) or error.hint
            raise

    def _meant(self, text: str, or_revision: bool) -> str:
        """Returns a hint for what stands in the place of a name: a path, a name nearly right, a revision; else ""."""
        try:
            target = find_target(self.workspace, workspace_path(self.workspace, self.here, text))
        except UnsafePath:
            target = None
        if target is not None:
            after = "; paths come after `--`" if self.takes_paths else ""
            return f"that is a path: its artifact is named '{target.head.name}'{after}"
        if text in self.workspace.settings.remotes:
            return f"'{text}' is a remote; each artifact has its own, and the name of an artifact is meant"
        near = did_you_mean(text, [head.name for head in self.workspace.state.heads()])
        as_revision = f"write '@{text}' or 'NAME@{text}' for a version" if or_revision and is_revision(text) else ""
        return near or as_revision

    def targets(self, paths: tuple[str, ...]) -> list[Target]:
        """Returns what typed paths mean. Raises UnknownPath."""
        return targets_of(self.workspace, self.here, paths)

    def names(self, names: tuple[str, ...], or_pinned: bool = False) -> list[str]:
        """Returns the artifacts named, each known, or pinned with `or_pinned`. Raises UnknownArtifact."""
        pins = known_pins(self.workspace) if or_pinned and names else {}
        return [name if name in pins else self._known(name, False) for name in names]

    def inner_paths(self, name: str) -> list[str]:
        """Returns the paths after `--` inside one artifact. Raises UsageError for a path of another."""
        found = self.targets(self.paths)
        others = [target.head.name for target in found if target.head.name != name]
        if others:
            raise UsageError(f"the paths belong to '{others[0]}', not to '{name}'")
        return [target.inner for target in found]

    def close(self) -> None:
        """Closes the workspace."""
        if self._workspace is not None:
            self._workspace.close()

    def __enter__(self) -> "Cli":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
