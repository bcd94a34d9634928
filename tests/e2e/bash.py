"""Runs lines of bash in which `aimdvc` is ours."""

import subprocess
import sys
from pathlib import Path


def in_bash(script: str, here: Path) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash, in which `aimdvc` is ours."""
    line = f'aimdvc() {{ "{sys.executable}" -m aimdvc "$@"; }}\n{script}'
    return subprocess.run(["bash", "-c", line], cwd=here, capture_output=True, text=True, timeout=60, check=False)
