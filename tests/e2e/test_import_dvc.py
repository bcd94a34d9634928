"""`import dvc`: repositories that the real DVC made become artifacts, with history."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import dvc as real
from tests.shell import Shell, git

Dvc = Callable[..., str]


def save(here: Path, message: str) -> str:
    git(here, "add", "-A")
    git(here, "commit", "-q", "-m", message)
    return git(here, "rev-parse", "HEAD").strip()


@pytest.fixture(scope="session")
def dvc_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return real.program(real.shared_directory(tmp_path_factory))


STATES: list[dict[str, bytes]] = [
    {"a.bin": b"one" * 100, "sub/größe 1.bin": os.urandom(200_000), "text.txt": b"first\r\nsecond\r\n"},
    {"a.bin": b"two" * 100, "text.txt": b"first\r\nsecond\r\n", "more/b": b"", "link me": b"x"},
    {"a.bin": b"two" * 100, "text.txt": b"third\n"},
]


@pytest.fixture(scope="session")
def made(dvc_program: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three versions of the directory `data` and of the file `model.bin` among five commits."""
    here = tmp_path_factory.mktemp("dvc") / "code"
    here.mkdir()
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "HOME": str(here.parent)}

    def dvc(*arguments: str) -> None:
        done = subprocess.run([dvc_program, *arguments], cwd=here, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, (arguments, done.stderr)

    git(here, "init", "-q", "-b", "main")
    git(here, "config", "user.name", "Ada")
    git(here, "config", "user.email", "ada@example.org")
    dvc("init", "-q")
    dvc("remote", "add", "-d", "local", "../storage")
    save(here, "Begin")
    for number, state in enumerate(STATES):
        shutil.rmtree(here / "data", ignore_errors=True)
        for path, content in state.items():
            (here / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            (here / "data" / path).write_bytes(content)
        (here / "model.bin").write_bytes(b"%d" % number * 1000)
        dvc("add", "-q", "data", "model.bin")
        save(here, f"State {number}")
        if number == 0:
            (here / "train.py").write_text("1")
            save(here, "Train")
    dvc("push", "-q")
    return here


@pytest.fixture
def code(made: Path, tmp_path: Path) -> Shell:
    shutil.copytree(made.parent / "storage", tmp_path / "storage")
    shell = Shell(shutil.copytree(made, tmp_path / "code", symlinks=True))
    shell("init")
    return shell


def versions(shell: Shell, name: str) -> list[str]:
    return [one["commit"]["id"] for one in shell("log", name, "--json").json["versions"]][::-1]


def test_every_state_of_a_directory_becomes_a_version(code: Shell) -> None:
    done = code("import", "dvc", "data", "--json").json["artifacts"][0]
    assert (done["artifact"], len(done["versions"]), done["files"]) == ("data", 3, 2)
    for commit, state in zip(versions(code, "data"), STATES, strict=True):
        listed = code("ls", f"data@{commit}", "--json").json["entries"]
        assert {entry["path"] for entry in listed} == set(state)
        for path, content in state.items():
            assert code("cat", f"data@{commit}:{path}").raw == content
    assert code("status", "-s").out == ""
    messages = [one["commit"]["message"] for one in code("log", "data", "--json").json["versions"]]
    assert [message.splitlines()[0] for message in messages] == ["State 2", "State 1", "State 0"]


def test_a_file_and_its_dvc_file_are_one_name(code: Shell) -> None:
    assert code("import", "dvc", "model.bin.dvc").out.startswith("model.bin: 3 versions of 'model.bin'")
    assert not (code.here / "model.bin.dvc").exists() and (code.here / "data.dvc").exists()
    assert (code.here / "model.bin").read_bytes() == b"2" * 1000
    assert code("cat", f"model.bin@{versions(code, 'model.bin')[0]}:model.bin").raw == b"0" * 1000


def test_the_code_commit_records_it_and_dvc_has_nothing_left(code: Shell, dvc_program: str) -> None:
    before = git(code.here, "rev-parse", "HEAD").strip()
    code("import", "dvc", "data", "model.bin")
    save(code.here, "Use artifacts")
    assert git(code.here, "status", "--porcelain") == ""
    done = subprocess.run([dvc_program, "list", ".", "--dvc-only"], cwd=code.here, capture_output=True, text=True)
    assert done.stdout.strip() == ""
    assert "/data\n" in (code.here / ".gitignore").read_text()
    # And back: what DVC had is there as it was.
    git(code.here, "checkout", "-q", before)
    back = subprocess.run([dvc_program, "checkout", "-q"], cwd=code.here, capture_output=True, text=True)
    assert back.returncode == 0, back.stderr
    assert (code.here / "data/text.txt").read_bytes() == STATES[2]["text.txt"]


def test_the_cache_may_be_elsewhere_and_a_remote_in_a_directory_counts(code: Shell) -> None:
    shutil.rmtree(code.here / ".dvc/cache")
    told = code("import", "dvc", "data", code=3).err
    # The push was of the newest state alone.
    assert "of the contents not here" in told and (code.here / "data.dvc").exists()
    assert code("import", "dvc", "--no-history", "data").out.startswith("data: 1 version")
    assert code("cat", "data@HEAD:text.txt").raw == STATES[2]["text.txt"]


def test_links_into_the_cache_become_files(code: Shell, dvc_program: str) -> None:
    for arguments in (["config", "cache.type", "symlink"], ["checkout", "--relink", "-q"]):
        done = subprocess.run([dvc_program, *arguments], cwd=code.here, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (code.here / "data/a.bin").is_symlink()
    git(code.here, "add", "-A")
    git(code.here, "commit", "-q", "-m", "Links")
    code("import", "dvc", "data")
    assert not (code.here / "data/a.bin").is_symlink()
    assert (code.here / "data/a.bin").read_bytes() == STATES[2]["a.bin"]
    assert code("status", "-s").out == ""


def test_a_changed_file_stops_it(code: Shell) -> None:
    code.write("data/a.bin", "precious")
    assert "'data/a.bin' is another than DVC has committed" in code("import", "dvc", "data", code=1).err
    assert (code.here / "data/a.bin").read_text() == "precious" and (code.here / "data.dvc").exists()


def cache_file(code: Shell, content: bytes) -> Path:
    found = [path for path in (code.here / ".dvc/cache").rglob("*") if path.is_file() and path.read_bytes() == content]
    return found[0]


def test_a_damaged_content_of_the_cache_is_never_taken(code: Shell) -> None:
    path = cache_file(code, STATES[0]["a.bin"])
    path.chmod(0o600)
    path.write_bytes(b"x" * 300)
    assert "another lies at" in code("import", "dvc", "data", code=3).err
    assert (code.here / "data.dvc").exists() and not (code.here / "aimdvc.lock").exists()


def test_a_missing_content_is_named(code: Shell) -> None:
    cache_file(code, STATES[0]["a.bin"]).unlink()
    assert "DVC has 1 of the contents not here" in code("import", "dvc", "data", code=3).err


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "a/../../x", ".git/config", "nul\0", ".aimd/x"])
def test_a_path_of_a_listing_leads_nowhere_else(code: Shell, tmp_path: Path, path: str) -> None:
    listing = max((code.here / ".dvc/cache").rglob("*.dir"), key=lambda one: one.stat().st_mtime_ns)
    raw = json.dumps([{"md5": "0" * 32, "relpath": path}]).encode()
    md5 = subprocess.run(["md5sum"], input=raw, capture_output=True).stdout.split()[0].decode()
    forged = listing.parents[1] / md5[:2] / f"{md5[2:]}.dir"
    forged.parent.mkdir(exist_ok=True)
    forged.write_bytes(raw)
    (code.here / "data.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  hash: md5\n  path: data\n")
    save(code.here, "Forged")
    done = code("import", "dvc", "--no-history", "data", code=4)
    assert done.err.count("\n") == 1
    assert (code.here / "data.dvc").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "outs: 1", "outs:\n- 1", "outs:\n- path: data\n  md5: x\n", "a: [", "outs:\n- md5: 1\n", "\0"],
)
def test_a_malformed_dvc_file_is_one_line(code: Shell, text: str) -> None:
    (code.here / "data.dvc").write_text(text)
    save(code.here, "Forged")
    done = code("import", "dvc", "--no-history", "data", code=2)
    assert done.err.count("\n") == 1 and "Traceback" not in done.err


def test_what_dvc_does_not_keep_is_named(code: Shell) -> None:
    assert "DVC keeps nothing at 'train.py'" in code("import", "dvc", "train.py", code=2).err


def test_an_output_of_a_pipeline_is_imported_and_told(code: Shell, dvc_program: str) -> None:
    for number in (1, 2):
        command = f"mkdir -p out && echo {number} > out/x"
        done = subprocess.run(
            [dvc_program, "stage", "add", "-f", "-n", "make", "-o", "out", "--run", command],
            cwd=code.here,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        save(code.here, f"Run {number}")
    done_ = code("import", "dvc", "out")
    assert done_.out.startswith("out: 2 versions of 'out'")
    assert "'dvc.lock' names 'out' still" in done_.err
    assert code("cat", f"out@{versions(code, 'out')[0]}:x").raw == b"1\n"


def test_contents_of_dvc_before_3_are_found_and_checked(code: Shell, tmp_path: Path) -> None:
    """DVC 2 kept `ab/…` in its cache, and took the MD5 of text with LF for CR LF."""
    content = b"first\r\nsecond\r\n"
    md5 = (
        subprocess.run(["md5sum"], input=content.replace(b"\r\n", b"\n"), capture_output=True)
        .stdout.split()[0]
        .decode()
    )
    place = code.here / ".dvc/cache" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    code.write("old.txt", content)
    (code.here / "old.txt.dvc").write_text(f"outs:\n- md5: {md5}\n  size: {len(content)}\n  path: old.txt\n")
    code.write(".gitignore", (code.here / ".gitignore").read_text() + "/old.txt\n")
    save(code.here, "Old")
    assert code("import", "dvc", "old.txt").out.startswith("old.txt: 1 version")
    assert code("cat", "old.txt@HEAD:old.txt").raw == content
    assert code("status", "-s").out == ""
