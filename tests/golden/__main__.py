"""Writes the snapshots anew: `python -m tests.golden`. Look at the difference before you commit it."""

import shutil
from pathlib import Path

from tests.golden.collect import snapshots

PLACE = Path(__file__).parent / "snapshots"

if __name__ == "__main__":
    shutil.rmtree(PLACE, ignore_errors=True)
    for name, content in snapshots().items():
        (PLACE / name).parent.mkdir(parents=True, exist_ok=True)
        (PLACE / name).write_bytes(content)
