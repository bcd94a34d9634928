"""Two workspaces and a server, driven at random, against a model of dictionaries; stock Git is the second judge.

`pytest -m sweep tests/machine` goes on for long, with new examples each time.
"""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from aimdvc.server.embedded import EmbeddedServer
from tests.machine.clock import Clock
from tests.machine.machine import Machine

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


def run(server: EmbeddedServer, root: Path, examples: int, steps: int, is_derandomized: bool) -> None:
    Machine.server, Machine.root = server, root
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=is_derandomized,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine.clock = Clock()
    monkeypatch.setattr("aimdvc.ops.workspace.time", Machine.clock)


def test_any_work_on_two_sides_is_what_the_model_says(server: EmbeddedServer, tmp_path: Path) -> None:
    run(server, tmp_path, 8, 30, True)


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_much_work_on_two_sides_is_what_the_model_says(server: EmbeddedServer, tmp_path: Path) -> None:
    run(server, tmp_path, int(os.environ.get("AIMDVC_MACHINE_EXAMPLES", "300")), 60, False)
