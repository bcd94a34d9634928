"""The documents are true to the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc import errors
from aimdvc.cli.table import COMMANDS
from tests.reference import reference
from tests.shell import Shell, unmeasured

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs" / "cli-reference.md").read_text("utf-8") == reference()


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
