"""What needs no network loads none: it takes longer than all the rest of a local command."""

import subprocess
import sys

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
