"""The layers of docs/architecture.md, held over the AST: imports go one way, and each thing has one room."""

import ast
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "aimdvc"
BELOW = {
    "errors": set[str](),
    "version": set[str](),
    "model": {"errors"},
    "fs": {"model", "errors"},
    "store": {"fs", "model", "errors"},
    "git": {"fs", "model", "errors"},
    "remote": {"fs", "model", "errors", "version"},
    "ops": {"git", "store", "remote", "fs", "model", "errors"},
    "server": {"git", "store", "remote", "fs", "model", "errors", "ops", "version"},
    "sdk": {"ops", "git", "store", "remote", "fs", "model", "errors", "version"},
    "artifact": {"sdk"},
    "trial": {"sdk"},
    "callbacks": {"sdk"},
    "cli": {"server", "ops", "git", "store", "remote", "fs", "model", "errors", "version"},
    "__main__": {"cli"},
    "__init__": {"sdk"},
}
ONLY_IN = {
    "click": {"cli"},
    "dulwich": {"git", "server"},
    "requests": {"remote"},
    "urllib3": {"remote"},
    "sqlite3": {"fs", "store"},
    "sqlalchemy": {"server"},
    "alembic": {"server"},
    "botocore": {"server"},
    "granian": {"server"},
    "xxhash": {"server"},
    "cheroot": {"server"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    layer = layer_of(path)
    for module in imports_of(ast.parse(path.read_bytes())):
        head, _, rest = module.partition(".")
        if head == "aimdvc":
            target = rest.partition(".")[0]
            assert target == layer or target in BELOW[layer], f"{layer} imports {module}"
        elif head in ONLY_IN:
            assert layer in ONLY_IN[head], f"{layer} imports {head}"


def requirements() -> tuple[set[str], set[str]]:
    """Returns what setup.cfg brings: the core's packages, and those of the extra `server`."""
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    core, server = settings["options"]["install_requires"], settings["options.extras_require"]["server"]
    names = [{line.split(">")[0].split("=")[0] for line in text.split()} for text in (core, server)]
    return names[0] | {"urllib3"}, names[1]  # urllib3 is what requests itself stands on


def test_each_layer_runs_on_what_its_extra_brings() -> None:
    core, server = requirements()
    for path in MODULES:
        if path.name == "cheroot_backend.py":
            continue
        imported = {module.partition(".")[0] for module in imports_of(ast.parse(path.read_bytes()))}
        foreign = imported - sys.stdlib_module_names - {"aimdvc", "__future__"}
        allowed = core | server if layer_of(path) == "server" else core
        allowed |= {"botocore"} if path.name == "s3.py" else {"fsspec"} if path.name == "filesystem.py" else set()
        assert foreign <= allowed, f"{path.name} imports {foreign - allowed}"
        optional = {"aimdvc.server.cheroot_backend", "aimdvc.server.bucket_storage", "aimdvc.sdk.filesystem"}
        assert not optional & set(imports_of(ast.parse(path.read_bytes())))


def test_a_file_has_at_most_400_lines() -> None:
    for path in (*MODULES, *Path(__file__).parents[1].rglob("*.py")):
        assert path.read_bytes().count(b"\n") <= 400, str(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_thing_has_its_room(path: Path) -> None:
    source = path.read_bytes()
    tree = ast.parse(source)
    assert path.name == "__init__.py" or ast.get_docstring(tree), "a module says what it is for"
    if path.name == "__init__.py" and path.parent != PACKAGE:
        assert not source.strip(), "packages are empty"
    layer = layer_of(path)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = [one for one in ast.walk(node) if isinstance(one, (ast.Import, ast.ImportFrom))]
            assert not inner, f"an import inside of {node.name}"
        reads = layer == "cli" or path.relative_to(PACKAGE).as_posix() == "sdk/environment.py"
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and not reads:
            raise AssertionError(f"line {node.lineno}: only cli and sdk/environment.py read the environment")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("print", "exit", "input")
        ):
            assert layer == "cli", f"line {node.lineno}: only cli prints and exits"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            raise AssertionError(f"line {node.lineno}: a bare except")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_public_says_what_it_does(path: Path) -> None:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
