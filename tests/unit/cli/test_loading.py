"""What a command doesn't need it doesn't load: it takes longer than all the rest of a local command."""

import subprocess
import sys
from pathlib import Path

LOCAL = "add blame branch cat checkout commit config diff fsck init log ls merge meta mv reflog restore rm status tag"


def test_local_commands_load_no_network() -> None:
    code = (
        "import importlib, sys\n"
        "from aimdvc.cli.table import COMMANDS\n"
        f"for name in ['hook pre-push', 'hook prepare-commit-msg', *'{LOCAL}'.split()]:\n"
        "    importlib.import_module(COMMANDS[name].module)\n"
        "    assert not {'urllib3', 'requests', 'http.client'} & sys.modules.keys(), name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_status_of_a_workspace_without_artifacts_loads_no_dulwich(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from aimdvc.cli.main import run\n"
        "assert run(['init']) == 0 and run(['status']) == 0\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'dulwich']\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hooks_with_nothing_to_tell_load_neither_dulwich_nor_the_network(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    for command in ("git init -q", "aimdvc init", "aimdvc add a", "aimdvc commit -m m", "git add -A"):
        program = [sys.executable, "-m", "aimdvc"] if command.startswith("aimdvc") else ["git"]
        subprocess.run([*program, *command.split()[1:]], cwd=tmp_path, capture_output=True, check=True)
    code = (
        "import sys\n"
        "from aimdvc.cli.main import run\n"
        "for hook in 'pre-commit pre-merge-commit post-checkout post-merge post-rewrite large-files'.split():\n"
        "    assert run(['hook', hook]) == 0, hook\n"
        "assert not {'dulwich', 'urllib3', 'requests', 'http.client'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
