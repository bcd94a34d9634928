"""The documents are true to the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc import errors
from aimdvc.cli.table import COMMANDS
from tests import pyreference
from tests.crash.scenarios import Fault, Scene
from tests.reference import reference
from tests.shell import Shell, unmeasured

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs" / "cli-reference.md").read_text("utf-8") == reference()


def test_the_python_reference_is_current() -> None:
    assert (ROOT / "docs" / "python-reference.md").read_text("utf-8") == pyreference.reference()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, tmp_path: Path) -> None:
    text = Shell(tmp_path)(name, "--help").out
    assert "Example:" in text
    assert "--json" in text
    assert "-C DIR" in text


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_errors_are_documented_with_their_exit_codes() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.AimdvcError) and kind is not errors.AimdvcError:
            row = next((line for line in text.splitlines() if line.startswith(f"| `{_kebab(name)}`")), None)
            assert row is not None, f"{name} is not in docs/errors.md"
            assert f"| {kind.exit_code} |" in row


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def test_the_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "block tests" in script
    assert "pytest" not in script


def test_nothing_heavy_is_imported_for_the_version() -> None:
    code = "import sys; from aimdvc.cli.main import run; run(['--version']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=unmeasured())
    for heavy in ("dulwich", "urllib3", "requests", "sqlite3"):
        assert f"'{heavy}'" not in done.stdout


CASE = re.compile(r"^\| ([LCS][0-9]{2}) \| .+ \| (.+) \|$", re.MULTILINE)


CASES = (("L", 42), ("C", 30), ("S", 35))


def test_every_case_of_safety_names_tests_that_exist_or_a_reason() -> None:
    text = (ROOT / "docs" / "safety.md").read_text("utf-8")
    cases = dict(CASE.findall(text))
    assert list(cases) == [f"{kind}{number:02d}" for kind, last in CASES for number in range(1, last + 1)]
    sources = "".join(path.read_text("utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    for case, tests in cases.items():
        named = re.findall(r"`(test_\w+)`", tests)
        assert named or tests.startswith("see: "), f"{case} has neither a test nor a reason"
        assert set(named) <= defined, f"{case} names {set(named) - defined}"


def test_the_cut_points_of_safety_are_about_those_that_there_are(tmp_path: Path) -> None:
    rows = re.findall(r"^\| (\w+) \| a folder \| ([0-9]+) \|$", (ROOT / "docs" / "safety.md").read_text("utf-8"), re.M)
    assert {"add", "commit", "checkout", "push", "pull"} <= {verb for verb, _ in rows}
    for verb, steps in rows:
        scene, fault = Scene(tmp_path / verb, verb), Fault()
        scene.run(fault)
        assert abs(len(fault.steps) - int(steps)) <= 3 + int(steps) // 8, f"{verb}: run `python -m tests.crash`"
