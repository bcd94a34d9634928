"""What a command doesn't need it doesn't load: it takes longer than all the rest of a local command."""

import subprocess
import sys
from pathlib import Path

LOCAL = "add blame branch cat checkout commit config diff fsck init log ls merge meta mv reflog restore rm status tag"


def test_local_commands_load_no_network() -> None:
    code = (
        "import importlib, sys\n"
        "from aimdvc.cli.table import COMMANDS\n"
        f"for name in '{LOCAL}'.split():\n"
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
