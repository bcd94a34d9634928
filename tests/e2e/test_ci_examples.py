"""The examples of docs/examples/ci and the lines of docs/ci.md: their steps run in a clone, against a real server.

What only the CI services have is left out: their actions, and the installation of aimdvc from a package index. `gh` is
a stand-in that keeps the comment.
"""

import importlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git

yaml: Any = importlib.import_module("yaml")
DOCS = Path(__file__).parents[2] / "docs"
CI = DOCS / "examples" / "ci"


@pytest.fixture
def environment(tmp_path: Path, server: EmbeddedServer) -> dict[str, str]:
    """What the job's variables are: a key that may only read, and the user's stored one out of reach."""
    accounts = server.site.accounts
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (
        ("gh", 'while [ $# -gt 1 ]; do shift; done; cp "$1" "$RUNNER_TEMP/comment"'),
        ("pip", 'test "$*" = "install aimdvc"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "empty").mkdir()
    return os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "empty"),
        "XDG_CONFIG_HOME": str(tmp_path / "empty"),
        "RUNNER_TEMP": str(tmp_path / "empty"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "empty/summary"),
        "AIMDVC_HOST": server.url,
        "AIMDVC_API_KEY": accounts.add_key(accounts.user("admin").id, "read"),
        "CACHE": str(tmp_path / "cache"),
    }


@pytest.fixture
def code(shell: Shell, server: EmbeddedServer) -> Shell:
    """Code on main, and on topic with a second version of `data`; test.sh looks at the data. All is pushed."""
    git(shell.here, "init", "-q", "-b", "main")
    shell("init")
    shell("remote", "add", "origin", server.url)
    shell.write("test.sh", "#!/bin/sh\ntest -s data/large && grep -q . data/small\n").chmod(0o755)
    shell.write("data/small", "1\n")
    shell.write("data/large", b"w" * 100_000)
    shell.commit("data")
    commit(shell, "one")
    git(shell.here, "checkout", "-qb", "topic")
    shell.write("data/small", "2\n")
    shell.commit("data")
    commit(shell, "two")
    shell("push")
    return shell


def commit(shell: Shell, message: str) -> str:
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", message)
    return git(shell.here, "rev-parse", "HEAD").strip()


def clone(code: Shell, place: Path) -> Shell:
    git(place.parent, "clone", "-q", "-b", "topic", str(code.here), str(place))
    return Shell(place)


def bash(script: str, here: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-e", "-c", script], cwd=here, env=environment, capture_output=True, text=True)


def test_the_steps_for_github_run(code: Shell, environment: dict[str, str], tmp_path: Path) -> None:
    job = yaml.safe_load((CI / "github-actions.yml").read_text("utf-8"))["jobs"]["artifacts"]
    said = {
        "github.event.pull_request.base.sha": git(code.here, "rev-parse", "main").strip(),
        "github.event.pull_request.number": "7",
        "github.token": "t",
    }
    here = clone(code, tmp_path / "job").here
    uses = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    assert uses == ["actions/checkout", "actions/setup-python", "actions/cache"]
    for step in job["steps"]:
        values = {name: said[value[3:-2].strip()] for name, value in step.get("env", {}).items()}
        done = bash(step.get("run", ":"), here, environment | values)
        assert done.returncode == 0, step["name"] + done.stdout + done.stderr
    comment = (tmp_path / "empty/comment").read_text()
    assert "| <code>data</code> | v1 → v2 | ~1 file | +0 B |" in comment
    assert (tmp_path / "empty/summary").read_text() == comment


def test_the_scripts_for_gitlab_run(code: Shell, environment: dict[str, str], tmp_path: Path) -> None:
    config = yaml.safe_load((CI / "gitlab-ci.yml").read_text("utf-8"))
    base = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": git(code.here, "rev-parse", "main").strip()}
    for name in ("test", "compare"):
        here = clone(code, tmp_path / name).here
        assert config[name]["extends"] == ".aimdvc"
        for line in config[".aimdvc"]["before_script"] + config[name]["script"]:
            done = bash(line, here, environment | base)
            assert done.returncode == 0, line + done.stdout + done.stderr
    assert "v1 → v2" in (tmp_path / "compare" / config["compare"]["artifacts"]["paths"][0]).read_text()


def test_the_shell_script_runs_and_its_cache_spares_the_remote(
    code: Shell, environment: dict[str, str], tmp_path: Path
) -> None:
    script = f"{CI / 'ci.sh'} {code.here} topic origin/main"
    for _ in range(2):
        done = bash(script, tmp_path, environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "v1 → v2" in (tmp_path / "artifacts.md").read_text()
    # With the cache and no remote at all the data is there.
    here = clone(code, tmp_path / "job").here
    (here / ".git/aimdvc").mkdir()
    subprocess.run(["cp", "-R", f"{tmp_path}/cache/.", str(here / ".git/aimdvc")], check=True)
    offline = environment | {"AIMDVC_HOST": "http://127.0.0.1:9"}
    done = bash("aimdvc checkout && aimdvc check && ./test.sh", here, offline)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pull_request_of_a_fork_has_no_key_and_is_told(
    code: Shell, environment: dict[str, str], tmp_path: Path
) -> None:
    here = clone(code, tmp_path / "job").here
    done = bash("aimdvc check --remote", here, environment | {"AIMDVC_API_KEY": ""})
    assert done.returncode == 7
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_what_is_cached_is_blobs_and_histories(name: str) -> None:
    text = (CI / name).read_text("utf-8")
    assert re.findall(r"\.git/aimdvc/(\w+)", text) == ["blobs", "repos"]


def test_a_forgotten_push_fails_each_of_them(code: Shell, environment: dict[str, str], tmp_path: Path) -> None:
    code.write("data/small", "3\n")
    code.commit("data")
    commit(code, "three")
    done = bash(f"{CI / 'ci.sh'} {code.here} topic", tmp_path, environment)
    assert done.returncode == 1
    assert "is not on 'origin'; `aimdvc push data`" in done.stdout


def test_bisect_finds_the_commit_and_stops_where_it_can_not_know(
    code: Shell, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = re.findall(r"^git bisect run .*$", (DOCS / "ci.md").read_text("utf-8"), re.MULTILINE)
    assert len(lines) == 2
    commits: list[str] = []
    for content in ("3\n", "4\n", "", "\n", "\n\n"):
        code.write("data/small", content)
        code.commit("data")
        commits.append(commit(code, f"{len(commits)}"))
        if content == "4\n":
            code("push")
    bad = commits[2]
    begin = "git bisect start HEAD origin/main && "
    done = bash(begin + lines[0], clone(code, tmp_path / "pins").here, environment)
    assert done.returncode == 0 and f"{bad} is the first bad commit" in done.stdout, done.stdout + done.stderr
    down = environment | {"AIMDVC_TIMEOUT": "1", "AIMDVC_API_KEY": ""}
    done = bash(begin + lines[0], clone(code, tmp_path / "down").here, down)
    assert done.returncode and "is the first bad commit" not in done.stdout
    done = bash("git bisect start HEAD main && " + lines[1], code.here, environment)
    assert done.returncode == 0 and f"{bad} is the first bad commit" in done.stdout, done.stdout + done.stderr
