"""The command line itself: what may be typed, what is printed, and how it ends."""

import inspect
import json
import os
import pty
import random
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS
from aimdvc.server.embedded import EmbeddedServer
from tests.reference import members
from tests.shell import Shell, files_of


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A workspace whose artifact `scenes`, at data/images, has two versions."""
    shell.write("data/images/a", "1\n")
    shell.write("data/images/train/b", "1\n")
    shell("add", "data/images", "-n", "scenes")
    shell("commit", "-m", "First")
    shell.write("data/images/a", "2\n")
    shell.commit("data/images", "Second")
    return shell


WITH_PATH = [
    ("reset", "--hard", "scenes:a"),
    ("reset", "scenes@HEAD~1:a"),
    ("checkout", "-f", "scenes@HEAD~1:a"),
    ("show", "scenes:a"),
    ("log", "scenes:a"),
    ("diff", "scenes@HEAD~1:a"),
    ("diff", "scenes@HEAD~1", "scenes:a"),
    ("alias", "set", "scenes:a", "best"),
    ("meta", "get", "scenes:a"),
    ("meta", "set", "scenes:a", "type", "x"),
    ("track", "*.csv", "-n", "scenes:a"),
]


@pytest.mark.parametrize("arguments", WITH_PATH, ids=" ".join)
def test_a_path_in_a_selector_is_refused_where_none_is_taken(versions: Shell, arguments: tuple[str, ...]) -> None:
    versions.write("data/images/train/b", "changed\n")
    before = files_of(versions.here)
    done = versions(*arguments, "--json", code=2)
    assert done.json["message"].endswith(":a': expected no path")
    assert done.json["hint"]
    assert files_of(versions.here) == before


def test_the_hint_for_a_path_says_what_to_type_instead(versions: Shell) -> None:
    assert versions("show", "scenes:a", "--json", code=2).json["hint"] == "run `aimdvc cat NAME@REV:PATH`"
    assert versions("log", "scenes:a", "--json", code=2).json["hint"] == "paths come after `--`"
    assert versions("cat", "scenes@HEAD~1:a").out == "1\n"


IGNORED = [
    "*.tmp",
    "build/",
    "/top",
    "a*b",
    "!keep.tmp",
    "# note",
    "\\#x",
    "\\!y",
    "d/*",
    "d/**",
    "**/e",
    "sp ",
    "sp\\ ",
]
IGNORED += ["[ab]", "e/", "!e/f", "?", "*", "!*/", "d/e/", "/d", "**/", "é*", "!", "/", "bad[", "back\\", "x\r"]
FILES = ["a", "b", "ab", "axb", "top", "z.tmp", "keep.tmp", "#x", "!y", "sp", "sp ", "é1", "x", "f", "build"]


@pytest.mark.parametrize("seed", range(25))
def test_ignore_files_are_read_as_git_reads_them(shell: Shell, seed: int) -> None:
    source = random.Random(seed)
    directories = ["", "d/", "d/e/", "g/build/"]
    for directory in directories:
        for name in FILES:
            if directory != "g/" or name != "build":
                shell.write(f"data/{directory}{name}", "1")
    for directory in source.sample(directories[:3], source.randint(1, 2)):
        lines = "\n".join(source.choice(IGNORED) for _ in range(source.randint(1, 5)))
        for name in (".gitignore", ".aimdvcignore"):
            shell.write(f"data/{directory}{name}", lines + "\n")
    data = shell.here / "data"
    subprocess.run(["git", "init", "-q", str(data)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=data, capture_output=True, check=True
    )
    subprocess.run(["rm", "-r", str(data / ".git")], check=True)
    wanted = {os.fsdecode(path) for path in listed.stdout.split(b"\0") if path}
    if not wanted:
        return
    shell("add", "data")
    shell("commit", "-m", "m")
    assert {entry["path"] for entry in shell("ls", "data", "--json").json["entries"]} == wanted


@pytest.mark.parametrize("name", [".aimdvcignore", ".gitattributes"])
@pytest.mark.parametrize("pattern", ["a*" * 30 + "b", "**/a*a*/" * 30 + "b", "[a]*" * 30 + "b"])
def test_no_pattern_takes_for_ever(shell: Shell, name: str, pattern: str) -> None:
    shell.write(f"data/{name}", f"{pattern} filter=lfs\n" if "attr" in name else f"{pattern}\n")
    shell.write("data/" + "/".join(["a" * 40] * 20) + "/" + "a" * 200, "1")
    start_s = time.monotonic()
    shell.commit("data")
    assert time.monotonic() - start_s < 10


def test_an_ignore_file_that_is_no_regular_file_holds_no_rules(shell: Shell, tmp_path: Path) -> None:
    shell.write("data/a", "1")
    shell.write("data/b", "1")
    shell.commit("data")
    (tmp_path / "rules").write_text("*\n")
    place = shell.here / "data" / ".aimdvcignore"
    for target in (str(tmp_path / "rules"), "nowhere", "/dev/zero", None):
        if target is None:
            os.mkfifo(place)
        else:
            place.symlink_to(target)
        shell.write("data/new", "1")
        assert "?? data/new\n" in shell("status", "-s").out
        place.unlink()
    place.mkdir()
    assert "?? data/new\n" in shell("status", "-s").out


def test_an_ignore_file_beyond_the_limits_is_named_with_its_line(shell: Shell) -> None:
    shell.write("data/.aimdvcignore", "*.tmp\n" + "x" * 1001 + "\n")
    done = shell("add", "data", "--json", code=4)
    assert done.json["message"].endswith("data/.aimdvcignore': line 2 is too long, or one of too many")


EVIL = "\x1b[31mred\x9b0m\r\u202eback"
SHOWN = "\\x1b[31mred\\x9b0m\\r\\u202eback"


def test_nothing_that_is_printed_steers_the_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", EVIL.replace("\r", ""))
    shell.write(f"{EVIL}/a", "1\n")
    shell.write(f"{EVIL}/t", f"{EVIL}\r\n")
    shell("add", EVIL, "-n", "scenes")
    shell("commit", "-m", f"{EVIL} subject\n\nBody\tof {EVIL}\nlast")
    shell.write(f"{EVIL}/a", "2\n")
    shell("meta", "set", "scenes", "description", EVIL)
    outputs = [
        shell(*arguments).out
        for arguments in (
            ("log",),
            ("log", "--oneline"),
            ("show",),
            ("status",),
            ("status", "-s"),
            ("ls",),
            ("diff",),
            ("meta", "get", "scenes", "description"),
            ("commit", "-am", EVIL),
            ("diff", "scenes@HEAD~1", "scenes"),
        )
    ]
    for out in outputs:
        assert not set(out) & set("\x1b\x9b\u202e\x07")
        assert "\r" not in out.replace("\r\n", "")
    assert f"    {SHOWN} subject\n    \n    Body\tof {SHOWN}\n    last\n" in outputs[0]
    assert f"{SHOWN}\n" in outputs[7]


def test_a_password_in_a_hand_written_url_is_not_shown(shell: Shell) -> None:
    config = shell.here / ".aimdvc" / "config"
    config.write_text('[remote "origin"]\n\turl = https://me:secret@example.org/team\n')
    for arguments in (("remote",), ("config",), ("config", "remote.origin.url")):
        for extra in ((), ("--json",)):
            out = shell(*arguments, *extra).out
            assert "secret" not in out
            assert "https://example.org/team" in out


def in_bash(script: str, here: Path) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash, in which `aimdvc` is ours."""
    line = f'aimdvc() {{ "{sys.executable}" -m aimdvc "$@"; }}\n{script}'
    return subprocess.run(["bash", "-c", line], cwd=here, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_command_the_help_is_printed_as_it_is(tmp_path: Path) -> None:
    done = in_bash("aimdvc", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "\n  checkout    Make the files those of a version" in done.stderr


def test_a_reader_that_leaves_ends_us_as_a_broken_pipe(shell: Shell) -> None:
    for number in range(3000):
        shell.write(f"data/a-file-with-a-long-name-{number}", "")
    shell.commit("data")
    done = in_bash("aimdvc ls data | head -1; echo ${PIPESTATUS[0]}", shell.here)
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


@pytest.mark.parametrize("extra", ["", " --json"])
def test_a_stdout_that_takes_nothing_is_named(tmp_path: Path, extra: str) -> None:
    closed = in_bash(f"aimdvc version{extra} >&-", tmp_path)
    assert (closed.returncode, closed.stderr) == (
        8,
        "aimdvc: 'standard output': is closed; redirect it to /dev/null\n",
    )
    full = in_bash(f"aimdvc version{extra} >/dev/full", tmp_path)
    assert (full.returncode, full.stderr) == (
        8,
        "aimdvc: 'standard output': no space left; free some space, then run it again\n",
    )


def test_a_closed_stdin_or_stderr_is_no_bug(shell: Shell) -> None:
    assert in_bash("aimdvc commit <&-", shell.here).returncode == 2
    assert in_bash("aimdvc status 2>&-", shell.here).returncode == 0


MISTYPED = [
    (("stauts",), "no such command 'stauts'; did you mean `aimdvc status`?"),
    (("xyzzy",), "no such command 'xyzzy'; `aimdvc --help` lists the commands"),
    (("status", "--shrt"), "no such option '--shrt'; did you mean --short?"),
    (("status", "--xyzzy"), "no such option '--xyzzy'; run `aimdvc status --help`"),
    (("login",), "missing argument 'URL'; run `aimdvc login --help`"),
    (("log", "-n"), "option '-n' requires an argument; run `aimdvc --help`"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTYPED)
def test_what_is_mistyped_is_said_in_house_style(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    assert shell(*arguments, code=2).err.splitlines()[-1] == f"aimdvc: {message}"


def test_json_after_two_dashes_is_a_path(shell: Shell) -> None:
    assert shell("diff", "--", "--json", code=2).out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_gives_an_error_object(shell: Shell, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "aimdvc", "login", "https://example.org", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(1)
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert json.loads(out) == {
        "error": "interrupted" if number == signal.SIGINT else "terminated",
        "message": "interrupted" if number == signal.SIGINT else "terminated",
        "hint": "nothing is lost, run it again to finish",
        "exit_code": 128 + number,
    }


def completed(line: str, here: Path) -> list[str]:
    """Returns what the sourced script tells bash for a line with the cursor at its end."""
    script = f"""
        source <(aimdvc completion bash)
        COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
        $(complete -p aimdvc | sed 's/.*-F \\([^ ]*\\).*/\\1/') aimdvc
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = in_bash(script, here)
    assert done.stderr == ""
    return done.stdout.split()


COMPLETED = [
    ("aimdvc chec", ["checkout"]),
    ("aimdvc status --sh", ["--short"]),
    ("aimdvc push sc", ["scenes"]),
    ("aimdvc checkout ", ["scenes"]),
    ("aimdvc checkout scenes@", ["best", "HEAD", "main", "v1?", "v2?"]),
    ("aimdvc diff scenes@best scenes@v", ["v1?", "v2?"]),
    ("aimdvc -C data log @b", ["best"]),
    ("aimdvc add da", []),
    ("aimdvc log scenes -- da", []),
    ("aimdvc log nothing@", []),
]


@pytest.mark.parametrize(("line", "wanted"), COMPLETED)
def test_bash_completes(versions: Shell, line: str, wanted: list[str]) -> None:
    versions("alias", "set", "scenes@HEAD~1", "best")
    assert completed(line, versions.here) == wanted


def test_bash_completes_file_names_where_nothing_of_ours_fits(versions: Shell) -> None:
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "PS1": "",
        "TERM": "dumb",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=versions.here,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        os.write(master, b'eval "$(aimdvc completion bash)"; echo rea""dy\n')
        _read_until(master, b"ready")
        os.write(master, b"aimdvc status dat\timag\t")
        _read_until(master, b"data/images/")
        process.kill()
    os.close(master)


def _read_until(master: int, wanted: bytes) -> None:
    seen = b""
    end_s = time.monotonic() + 20
    while wanted not in seen.replace(b"\a", b""):
        assert time.monotonic() < end_s, seen
        if select.select([master], [], [], 1)[0]:
            seen += os.read(master, 4096)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_short_imperative_line(name: str) -> None:
    command = aimdvc.get_command(click.Context(aimdvc), name)
    assert command is not None
    first, *rest = inspect.cleandoc(command.help or "").splitlines()
    if name not in ("fsck", "du", "serve"):
        assert first == COMMANDS[name].help
        assert rest[0] == ""
    assert len(COMMANDS[name].help) <= 60
    assert COMMANDS[name].help[0].isupper() and not COMMANDS[name].help.endswith(".")


def examples(name: str) -> list[str]:
    """Returns the lines of a command's example."""
    command = aimdvc.get_command(click.Context(aimdvc), name)
    assert command is not None
    _, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
    return [line.strip() for line in example.splitlines() if line.startswith("  ")]


IN_NOTHING = ("init", "clone", "get", "demo")
IN_NEW = ("add", "remote")


def test_the_examples_of_the_help_work_as_they_stand(server: EmbeddedServer, tmp_path: Path, home: Path) -> None:
    url = f"{server.url}/team"
    (home / "pictures").mkdir()
    (home / "pictures" / "a.png").write_bytes(b"1")
    new = Shell(tmp_path / "new")
    new.here.mkdir()
    (new.here / "key.txt").write_text(f"{server.admin_key}\n")
    new("init")
    new.write("data/images/train/a", "1\n")
    prepared = Shell(shutil.copytree(new.here, tmp_path / "prepared"))
    prepared("remote", "add", "origin", url)
    for number in range(3):
        prepared.write("data/images/labels.csv", f"{number}\n")
        prepared("add", "data/images", "-n", "images")
        prepared("commit", "-m", "m")
    prepared("alias", "set", "images@HEAD", "production")
    prepared("push")
    failed = []
    for name in sorted(COMMANDS, key=lambda name: name == "logout"):
        here = tmp_path / "runs" / name
        if name in IN_NOTHING:
            here.mkdir(parents=True)
        else:
            shutil.copytree(new.here if name in IN_NEW else prepared.here, here)
        lines = [line for line in examples(name) if not line.startswith("aimdvc serve ")]
        script = "\n".join(lines).replace("https://aimd.example.org/team", url)
        script = script.replace("https://aimd.example.org", server.url)
        typed = "exec < key.txt\n" if name == "login" else ""
        done = in_bash(f"set -e\n{typed}{script}", here)
        if done.returncode:
            failed.append((name, done.stderr))
    assert failed == []


def test_json_objects_have_the_members_of_the_reference(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("push")
    lines = ["init", "status", "log", "show", "show scenes@v1", "ls", "ls scenes", "cat scenes:a", "checkout"]
    lines += ["checkout scenes@v1", "checkout scenes@main", "alias set scenes@v1 best", "alias", "track", "track *.x"]
    lines += ["untrack *.x", "meta get", "meta set scenes type x", "commit -m m", "remote", "fetch", "push", "pull"]
    lines += ["diff", "add data", "restore data", "reset", "fsck", "du", "config", "version", "completion bash"]
    lines += ["logout https://example.org", f"clone {tmp_path}/folder/scenes other", f"get {tmp_path}/folder/scenes"]
    for line in lines:
        at = tmp_path if line.startswith(("clone", "get")) else None
        name, *arguments = line.split()
        found = versions(name, "--json", *arguments, at=at).json
        assert " ".join(found) in members(name), line


MISUNDERSTOOD = [
    (("checkout", "v1"), "write '@v1' or 'NAME@v1' for a version"),
    (("show", "HEAD~1"), "write '@HEAD~1' or 'NAME@HEAD~1' for a version"),
    (("diff", "main"), "write '@main' or 'NAME@main' for a version"),
    (("status", "scenes"), "that is a name: its path is 'data/images'"),
    (("diff", "--", "scenes"), "that is a name: its path is 'data/images'"),
    (("ls", "data/images/"), "that is a path: its artifact is named 'scenes'"),
    (("push", "data/images/a"), "that is a path: its artifact is named 'scenes'"),
    (("commit", "data/images", "-m", "m"), "that is a path: its artifact is named 'scenes'"),
    (("ls", "/etc/passwd"), ""),
    (("push", "nothing"), "`aimdvc ls` lists the artifacts"),
    (("cat", "scenes"), "run `aimdvc cat scenes:PATH`; `aimdvc ls scenes` lists them"),
    (("cat", "scenes:."), "run `aimdvc cat scenes:PATH`; `aimdvc ls scenes` lists them"),
]


@pytest.mark.parametrize(("arguments", "hint"), MISUNDERSTOOD)
def test_a_hint_says_how_to_write_what_was_meant(versions: Shell, arguments: tuple[str, ...], hint: str) -> None:
    done = versions(*arguments, code=2)
    assert done.err.splitlines()[-1].partition("; ")[2].startswith(hint)


@pytest.mark.parametrize("path", ["train/", "./train", "train//", "x/../train", "train/."])
def test_a_path_of_a_selector_may_be_written_in_any_way(versions: Shell, path: str) -> None:
    assert versions("ls", f"scenes:{path}").out == "train/b\n"
    assert versions("ls", "scenes:.").out == "a\ntrain/b\n"
    assert versions("cat", f"scenes:{path}/b").out == "1\n"


def test_labels_are_separated_by_commas_or_a_json_list(versions: Shell) -> None:
    for value, labels in (("b, a,", ["a", "b"]), ('["a,b", "c"]', ["a,b", "c"]), ("", []), ("[]", [])):
        versions("meta", "set", "scenes", "labels", value)
        assert versions("meta", "get", "scenes", "--json").json["metadata"]["labels"] == labels
    for value in ("[1]", "[a, b]", '["a"'):
        assert "expected texts" in versions("meta", "set", "scenes", "labels", value, code=2).err


def test_metadata_with_half_a_character_can_be_read(versions: Shell) -> None:
    versions("meta", "set", "scenes", "description", "half \ud800")
    versions("commit", "-m", "m")
    assert versions("meta", "get", "scenes@HEAD", "description").out == "half \\ud800\n"
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["description"] == "half \ud800"


def test_metadata_values_are_texts(versions: Shell) -> None:
    versions("meta", "set", "scenes", "metadata.release", "1.0")
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["metadata"] == {"release": "1.0"}
    versions("meta", "set", "scenes", "metadata.release", "")
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["metadata"] == {}


def test_cat_gives_small_contents_as_json(versions: Shell) -> None:
    wanted = {"path": "a", "size": 2, "content_base64": "Mgo="}
    assert versions("cat", "scenes:a", "--json").json == wanted
    versions.write("data/images/large", b"x" * ((1 << 20) + 1))
    versions.commit("data/images")
    assert "larger than 1.0 MiB" in versions("cat", "scenes:large", "--json", code=2).json["message"]
    versions.write("model.bin", b"1")
    versions.commit("model.bin")
    assert versions("cat", "model.bin", "--json").json == {"path": "model.bin", "size": 1, "content_base64": "MQ=="}


def test_status_of_a_path_shows_what_lies_there(versions: Shell) -> None:
    versions.write("data/images/a", "3\n")
    versions.write("data/images/train/b", "3\n")
    versions.write("data/images/train/new", "3\n")
    assert versions("status", "-s", "data/images/a").out == " M data/images/a\n"
    below = versions("status", "-s", "train", at=versions.here / "data/images").out
    assert below == " M data/images/train/b\n?? data/images/train/new\n"
    found = versions("status", "data/images/train/new", "--json").json["artifacts"][0]
    assert (found["unstaged"], found["untracked"]) == ([], ["train/new"])
    assert versions("status", "-s", "data").out.count("\n") == 3


def test_how_the_remote_stands_is_said_in_words(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("push")
    versions("reset", "scenes@v1")
    assert "  1 behind the remote: `aimdvc pull`\n" in versions("status").out
    versions("commit", "-am", "Another")
    assert "  1 ahead of and 1 behind the remote: `aimdvc pull`\n" in versions("status").out
    versions("reset", "--hard", "scenes@v2")
    versions("commit", "--allow-empty", "-m", "Third")
    assert "  1 ahead of the remote: `aimdvc push`\n" in versions("status").out


def test_a_push_says_which_aliases_it_deletes(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("alias", "set", "scenes@HEAD", "best")
    versions("push")
    versions("alias", "delete", "scenes", "best")
    versions("alias", "set", "scenes@HEAD", "good")
    assert "pushed alias good, the deletion of alias best to" in versions("push").out


def test_a_commit_without_a_number_is_named_once_in_a_line(versions: Shell) -> None:
    tip = versions("log", "--json").json["versions"][0]["commit"]["id"]
    versions("reset", "scenes@HEAD~1")
    assert versions("log", "--oneline", "-n", "1", f"scenes@{tip}").out == f"-     {tip[:12]} Second\n"


def test_the_local_commands_of_the_tutorial_run(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8").partition("## Share")[0]
    script = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    shell = Shell(tmp_path / "project")
    shell.write("data/labels.csv", "street,120\n")
    subprocess.run(["git", "init", "-q", str(shell.here)], check=True)
    done = in_bash(f"set -euxo pipefail\n{script}", shell.here)
    assert done.returncode == 0, done.stderr
    assert script.count("aimdvc ") >= 15
    tracked = subprocess.run(["git", "ls-files"], cwd=shell.here, capture_output=True, text=True, check=True)
    assert tracked.stdout.split() == [".aimdvc/.gitignore", ".aimdvc/config", ".gitignore", "aimdvc.lock"]


@pytest.mark.parametrize("author", ["Name", "<mail>", "Name <a> <b>", "Name mail>", "N\n<m>", "Name <a b>"])
def test_an_author_that_does_not_parse_is_said(versions: Shell, monkeypatch: pytest.MonkeyPatch, author: str) -> None:
    for variable in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AIMDVC_AUTHOR", author)
    done = versions("commit", "--allow-empty", "-m", "m", "--json", code=2)
    assert done.json["message"] == f"AIMDVC_AUTHOR is '{author}', expected 'Name <mail>'"
    monkeypatch.setenv("AIMDVC_AUTHOR", " A Name  <mail@example.org> ")
    versions("commit", "--allow-empty", "-m", "m")
    assert "author  A Name <mail@example.org>\n" in versions("log", "-n", "1").out


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8750", "file:///srv", "/srv"])
def test_a_host_that_is_no_url_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("AIMDVC_HOST", host)
    done = shell("get", "http://127.0.0.1:1/a", "--json", code=2)
    assert done.json["message"].startswith(f"AIMDVC_HOST is '{host}', expected an http(s) URL")
