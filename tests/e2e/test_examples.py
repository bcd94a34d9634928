"""The examples of the help, and the tutorial, do what they say."""

import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.site import Location, open_site
from tests.e2e.bash import in_bash
from tests.shell import Shell

BEFORE = {
    "server user": [],
    "server group": ["user add ada"],
    "server key": ["user add ada", "folder make ada/scans"],
    "server folder": ["user add ada", "folder make ada/scans"],
    "server audit": [],
    "server reindex": [],
    "server secret": [],
    "server gc": [],
    "server trash": [],
    "server quota": ["user add ada", "folder make team"],
    "server protect": ["user add ada", "folder make team", "folder make team/scans"],
    "server backup": [],
    "server verify": [],
    "server stats": ["folder make team", "folder make team/scans"],
    "server scrub": [],
    "server restore": ["backup /srv/aimd-backup"],
    "server share": ["group add vision", "folder make team", "folder make team/scans"],
}
"""What the examples of a server's commands take for granted, each on a server of its own."""

OF_ARTIFACTS = ("server ref",)
"""Those that work on what the other examples push."""


def examples(name: str) -> list[str]:
    """Returns the lines of a command's example."""
    command = aimdvc.get_command(click.Context(aimdvc), name)
    assert command is not None
    _, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
    return [line.strip() for line in example.splitlines() if line.startswith("  ")]


IN_NOTHING = ("init", "clone", "get", "demo")


IN_NEW = ("add", "remote")
IN_CODE = ("why", "import git", "import lfs", "import dvc")
"""Those that read the code repository around the workspace: it has one commit."""

_OF_SHELLS = re.compile(r"[|<>$&;`*~]|aimdvc hook")
"""What only a shell, or a process with a standard input of its own, makes sense of."""

MAKE_CODE = "git init -q -b main && aimdvc init && git add . && git commit -q -m 'Pin images'"
SAMPLES = "mkdir samples && echo 1 > samples/a"
SAMPLES_OF_DVC = """echo 1 > samples && echo /samples > .gitignore
md5=$(md5sum < samples | cut -c-32) && place=.dvc/cache/files/md5/${md5:0:2}
mkdir -p $place && cp samples $place/${md5:2} && echo /cache > .dvc/.gitignore
printf 'outs:\\n- md5: %s\\n  hash: md5\\n  path: samples\\n' $md5 > samples.dvc"""


def test_the_examples_of_the_help_work_as_they_stand(server: EmbeddedServer, tmp_path: Path, home: Path) -> None:
    url = f"{server.url}/team"
    server.site.folders.make_root("team")
    (home / "pictures").mkdir()
    (home / "pictures" / "a.png").write_bytes(b"1")
    new = Shell(tmp_path / "new")
    new.here.mkdir()
    (new.here / "key.txt").write_text(f"{server.admin_key}\n")
    new("init")
    new.write("data/images/train/a", "1\n")
    prepared = Shell(shutil.copytree(new.here, tmp_path / "prepared"))
    prepared("remote", "add", "origin", url)
    for number in range(3):
        prepared.write("data/images/labels.csv", f"{number}\n")
        prepared("add", "data/images", "-n", "images")
        prepared("commit", "-m", "m")
    prepared("alias", "set", "images@HEAD", "production")
    prepared("push")
    for command in (["switch", "-c", "old-labels"], ["push"], ["switch", "main"]):
        prepared(*command)
    failed = []
    for name in sorted(COMMANDS, key=lambda name: name == "logout"):
        here = tmp_path / "runs" / name.replace(" ", "-")
        if name in IN_NOTHING:
            here.mkdir(parents=True)
        else:
            shutil.copytree(new.here if name in IN_NEW else prepared.here, here)
        if name in IN_CODE:
            samples = SAMPLES_OF_DVC if name == "import dvc" else SAMPLES
            assert in_bash(f"{samples}\n{MAKE_CODE}", here).returncode == 0
        for side in ("base", "ours", "theirs") if name == "hook merge-driver" else ():
            shutil.copyfile(here / "aimdvc.lock", here / f"{side}.lock")
        lines = [line for line in examples(name) if not line.startswith("aimdvc serve ")]
        script = "\n".join(lines).replace("https://aimd.example.org/team", url)
        script = script.replace("https://aimd.example.org", server.url)
        if name.startswith("server "):
            if name in OF_ARTIFACTS:
                (here / "srv").symlink_to(tmp_path / "server")
            else:
                open_site(Location(here / "srv")).close()
            before = [f"aimdvc server {line} -C /srv/aimd" for line in BEFORE.get(name, [])]
            script = "\n".join([*before, script]).replace("/srv/aimd", f"{here}/srv")
        typed = "exec < key.txt\n" if name == "login" else ""
        if told := _failure(f"{typed}{script}", here):
            failed.append((name, told))
    assert not failed, "\n".join(f"{name}: {told}" for name, told in failed)


def _failure(script: str, here: Path) -> str:
    """Returns what the first command that failed said, "" for none; only what needs a shell gets one."""
    lines = [shlex.split(line) for line in script.splitlines()]
    if _OF_SHELLS.search(script) or any(words[:1] != ["aimdvc"] for words in lines):
        done = in_bash(f"set -e\n{script}", here)
        return done.stderr if done.returncode else ""
    for words in lines:
        done_here = Shell(here)(*words[1:], code=-1)
        if done_here.code:
            return f"{words}: {done_here.err}"
    return ""


def test_the_local_commands_of_the_tutorial_run(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8").partition("## Share")[0]
    script = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    shell = Shell(tmp_path / "project")
    shell.write("data/labels.csv", "street,120\n")
    subprocess.run(["git", "init", "-q", str(shell.here)], check=True)
    done = in_bash(f"set -euxo pipefail\n{script}", shell.here)
    assert done.returncode == 0, done.stderr
    assert script.count("aimdvc ") >= 15
    tracked = subprocess.run(["git", "ls-files"], cwd=shell.here, capture_output=True, text=True, check=True)
    assert tracked.stdout.split() == [".aimdvc/.gitignore", ".aimdvc/config", ".gitignore", "aimdvc.lock"]
