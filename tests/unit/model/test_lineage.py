"""The trailers of lineage: what is written is read again, and what anyone else writes does no harm."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimdvc.model.lineage import MOST_INPUTS, Input, Making, command_text, parse_making, trailers_of
from aimdvc.model.oid import GitId

ONE, TWO = GitId("a" * 40), GitId("0123456789" * 4)
TRIAL = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"


def message(*lines: str, subject: str = "s") -> str:
    return f"{subject}\n\n" + "".join(f"{line}\n" for line in lines)


def test_what_is_written_is_read_again() -> None:
    making = Making((Input("alice/data/mnist", ONE), Input("words @ home", TWO)), f"{ONE}+dirty", TRIAL, "python a.py")
    pairs = trailers_of(making)
    assert pairs[0] == ("Aimd-Input", f"alice/data/mnist@{ONE}")
    assert parse_making(message("Aimd-Id: x", *(f"{key}: {value}" for key, value in pairs))) == making


def test_what_is_written_is_one_line_whatever_it_was() -> None:
    pairs = trailers_of(Making((Input(f"a\nAimd-Trial: {TRIAL}", ONE),), None, None, "a\nAimd-Code: x"))
    assert [value.isprintable() for _, value in pairs] == [True, True]
    assert parse_making(message(*(f"{key}: {value}" for key, value in pairs))).trial is None


@given(st.lists(st.text(st.characters(exclude_characters="\0"))))
def test_any_command_is_one_line_that_is_read_again(arguments: list[str]) -> None:
    said = command_text(arguments)
    assert said.isprintable()
    assert parse_making(message(f"Aimd-Command: {said}")).command == (said.strip()[:4000] or None)


def test_a_shell_takes_a_command_as_it_was() -> None:
    arguments = ["a b", "it's\n", "tab\there", "\x1b[31m", "\udcff", "$HOME", "\\"]
    said = command_text(["printf", "%s\\0", *arguments])
    done = subprocess.run(["bash", "-c", said], capture_output=True, check=True)
    assert done.stdout == b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in arguments)


def test_a_command_says_no_secret_that_is_known_as_one() -> None:
    said = command_text(["get", "https://me:secret@host/x?apikey=secret&a=b", "AIMDVC_API_KEY=secret", "--to=s3://k@b"])
    assert "secret" not in said
    assert "https://host/x" in said and "a=b" in said and "--to=s3://b" in said
    # What is around it stays a command.
    said = command_text(["sh", "-c", 'curl "https://host/x?apikey=secret"; ls'])
    assert shlex.split(said)[-1] == 'curl "https://host/x?apikey=…"; ls'


@pytest.mark.parametrize(
    "text",
    [
        f"Aimd-Input: a@{ONE}",
        message(f"Aimd-Input: a@{ONE[:39]}", "Aimd-Input: @" + ONE, f"Aimd-Input: a\x1b@{ONE}", f"aimd-input: a@{ONE}"),
        message(f"Aimd-Input: {'a' * 5000}@{ONE}", "Aimd-Code: HEAD", "Aimd-Trial: ../../x", "Aimd-Command: "),
        message(f"Aimd-Input: a@{ONE}") + "\nAnd more.\n",
        "",
        "\n\n\n",
    ],
)
def test_what_is_no_lineage_says_nothing(text: str) -> None:
    assert not parse_making(text).says_something


def test_what_anyone_writes_is_bounded() -> None:
    lines = [f"Aimd-Input: n{number}@{number:040x}" for number in range(1000)]
    found = parse_making(message(*lines, *lines, "Aimd-Command: a\x1b]0;b" + "c" * 9000, f"Aimd-Input: again@{0:040x}"))
    assert len(found.inputs) == MOST_INPUTS
    assert found.inputs[0] == Input("n0", GitId("0" * 40))
    assert found.command is not None and found.command.startswith("a ]0;bc") and len(found.command) == 4000
