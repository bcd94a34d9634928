"""The hooks of `.pre-commit-hooks.yaml` under the real pre-commit and the real prek, installed from this project."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.frameworks import FRAMEWORKS, IDS, ROOT, Frameworks, prepared, run, tried
from tests.shell import Shell, git


@pytest.fixture(scope="session")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> Frameworks:
    """Both frameworks, with environments that all tests share: to build one takes seconds."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "frameworks"
    place.mkdir(exist_ok=True)
    return prepared(place)


@pytest.fixture(autouse=True)
def _environment(frameworks: Frameworks, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in frameworks.environment().items():
        monkeypatch.setenv(name, value)
    # What the tests run from is not what the frameworks installed.
    monkeypatch.delenv("PYTHONPATH", raising=False)


@dataclass(frozen=True)
class Project:
    """A code repository with an artifact, all hooks and a remote for both."""

    shell: Shell
    framework: str

    def git(self, *arguments: str) -> str:
        """Runs Git, which must succeed; returns what it and the hooks say."""
        done = tried(self.shell.here, *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def stopped(self, *arguments: str) -> str:
        """Runs Git, which must fail; returns what it and the hooks say."""
        done = tried(self.shell.here, *arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def version(self, content: str) -> None:
        """Makes a version of the artifact, and a commit of the code that pins it."""
        self.shell.write("data/a.txt", content)
        self.shell("commit", "-am", content.strip())
        self.git("commit", "-am", f"pin {content.strip()}")


only_pre_commit = pytest.mark.parametrize("project", ["pre-commit"], indirect=True)


@pytest.fixture(params=FRAMEWORKS)
def project(request: pytest.FixtureRequest, tmp_path: Path, frameworks: Frameworks) -> Project:
    """A project whose code was committed once, and never pushed."""
    made = Project(Shell(tmp_path / "project"), request.param)
    git(tmp_path, "init", "-q", "-b", "main", str(made.shell.here))
    git(tmp_path, "init", "-q", "--bare", "code.git")
    git(made.shell.here, "remote", "add", "origin", "../code.git")
    (tmp_path / "remote").mkdir()
    made.shell("init", "--remote", str(tmp_path / "remote"))
    made.shell.write("data/a.txt", "one\n")
    made.shell.write("data/b.txt", "same\n")
    made.shell.commit("data", "one")
    made.shell.write(".pre-commit-config.yaml", frameworks.config())
    git(made.shell.here, "add", "-A")
    git(made.shell.here, "commit", "-qm", "first")
    _works(run(made.framework, made.shell.here, "install", "--install-hooks"))
    return made


def _works(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_manifest_is_valid(framework: str) -> None:
    _works(run(framework, ROOT, "validate-manifest", ".pre-commit-hooks.yaml"))


@only_pre_commit
def test_pre_commit_tries_the_hooks_from_a_path(project: Project, frameworks: Frameworks) -> None:
    done = run("pre-commit", project.shell.here, "try-repo", str(frameworks.source), "--all-files", "--verbose")
    _works(done)
    for name in IDS:
        assert f"-   id: {name}\n" in done.stdout
    assert done.stdout.count("Passed") == 2


@pytest.mark.sweep
@only_pre_commit
@pytest.mark.parametrize(
    ("hook", "stage"),
    [
        ("aimdvc-check", "manual"),
        ("aimdvc-check", "pre-merge-commit"),
        ("aimdvc-large-files", "pre-commit"),
        ("aimdvc-push", "pre-push"),
        ("aimdvc-checkout", "post-merge"),
    ],
)
def test_pre_commit_tries_each_hook_from_a_path(
    project: Project, frameworks: Frameworks, hook: str, stage: str
) -> None:
    project.shell("push")
    done = run(
        project.framework,
        project.shell.here,
        *("try-repo", str(frameworks.source), hook, "--all-files", "--verbose", "--hook-stage", stage),
    )
    _works(done)
    assert "Passed" in done.stdout


def test_a_commit_is_stopped_while_code_and_artifacts_part(project: Project) -> None:
    project.shell.write("data/a.txt", "two\n")
    project.shell.write("code.py", "1\n")
    project.git("add", "code.py")
    assert "data" in project.stopped("commit", "-m", "part")
    project.shell("commit", "-am", "two")
    assert "`git add aimdvc.lock`" in project.stopped("commit", "-m", "stale lock")
    project.git("commit", "-am", "both")
    message = project.git("log", "-1", "--format=%B")
    assert message.startswith("both\n")
    assert "data: " in message
    _works(run(project.framework, project.shell.here, "run", "--all-files"))


def test_a_large_file_is_stopped_with_what_to_run(project: Project) -> None:
    project.shell.write("weights.bin", os.urandom(3 << 20))
    project.git("add", "weights.bin")
    assert "aimdvc add weights.bin" in project.stopped("commit", "-m", "large")


def test_a_push_is_stopped_until_every_version_is_on_the_remote(project: Project) -> None:
    # The first push, with the root commit: the framework names no commits then.
    assert "data" in project.stopped("push", "origin", "main")
    project.shell("push")
    project.git("push", "-q", "origin", "main")
    project.git("branch", "a")
    project.git("checkout", "-q", "-b", "b")
    project.version("two\n")
    # The framework tells of the first ref only.
    assert "data" in project.stopped("push", "origin", "a", "b")
    project.shell("push")
    project.git("push", "-q", "origin", "a", "b")
    project.git("push", "-q", "origin", "--delete", "a")


def test_artifacts_go_where_the_code_goes(project: Project) -> None:
    data = project.shell.here / "data" / "a.txt"
    project.version("two\n")
    project.git("checkout", "-q", "-b", "side", "HEAD~1")
    assert data.read_text() == "one\n"
    project.git("merge", "-q", "main")
    assert data.read_text() == "two\n"
    project.git("commit", "-q", "--amend", "--allow-empty", "-m", "amended")
    project.git("worktree", "add", "-q", "../tree", "main~1")
    assert (project.shell.here.parent / "tree" / "data" / "a.txt").read_text() == "one\n"


@only_pre_commit
def test_a_repository_without_aimdvc_is_left_alone(project: Project, tmp_path: Path, frameworks: Frameworks) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "plain")
    plain = Project(Shell(tmp_path / "plain"), project.framework)
    plain.shell.write(".pre-commit-config.yaml", frameworks.config())
    plain.git("add", "-A")
    _works(run(project.framework, plain.shell.here, "install"))
    plain.git("commit", "-qm", "one")
    plain.git("push", "-q", "../code.git", "HEAD:refs/heads/plain")
    plain.git("checkout", "-q", "-b", "other")
    assert plain.git("log", "-1", "--format=%B") == "one\n\n"
