"""`aimdvc lineage`: up and down, by what is here and by what a server adds, and without one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell
from tests.unit.sdk.trials import start

NOBODY = "http://127.0.0.1:9"
COMMAND = ("--", "sh", "-c", "cat raw/* > model")


@pytest.fixture
def made(server: EmbeddedServer, shell: Shell) -> Shell:
    """A workspace with `raw`, and `model` made from it by two steps, all of it on a server."""
    shell("remote", "add", "origin", f"{server.url}/admin/deep")
    shell.write("raw/a.csv", "2\n1\n")
    shell.commit("raw")
    shell("run", "-i", "raw", "-o", "clean=clean.csv", "--", "sort", "-o", "clean.csv", "raw/a.csv")
    shell("run", "-i", "clean", "-o", "model=model", "--", "cp", "clean.csv", "model")
    shell("push")
    return shell


def names(told: Any) -> list[tuple[str, str | None, bool]]:
    return [(one["artifact"], one["version"], one["is_here"]) for one in told["versions"]]


def other(tmp_path: Path, server: EmbeddedServer, name: str) -> Shell:
    """Returns a workspace that has one artifact of the server alone."""
    shell = Shell(tmp_path)
    shell("clone", f"{server.url}/admin/deep/{name}", f"other-{name}")
    return Shell(tmp_path / f"other-{name}")


def test_what_is_here_is_told_without_a_server(shell: Shell) -> None:
    shell.write("raw/a.csv", "2\n1\n")
    raw = shell.commit("raw")
    assert "No inputs are known" in shell("lineage", "raw").out
    assert "Nothing is known that was made from it" in shell("lineage", "raw", "--down").out
    shell("run", "-i", "raw", "-o", "model=model", *COMMAND)
    shell.write("raw/a.csv", "3\n")
    shell.commit("raw")
    told = shell("lineage", "model", "--json").json
    model = told["commit"]
    assert names(told) == [("model", "v1?", True), ("raw", "v1?", True)]
    assert told["versions"][0]["command"] == "sh -c 'cat raw/* > model'"
    assert told["edges"] == [{"input": raw, "output": model, "name": "raw", "trial": None}]
    assert (told["unknown"], told["not_asked"], told["is_whole"]) == ([], [], True)
    assert shell("lineage", "model").out.splitlines() == [
        f"model v1? {model[:12]}",
        "    command sh -c 'cat raw/* > model'",
        f"  raw v1? {raw[:12]}",
        "1 version it was made from",
    ]
    assert names(shell("lineage", "raw@v1?", "--down", "--json").json) == [("raw", "v1?", True), ("model", "v1?", True)]
    assert names(shell("lineage", "raw", "--down", "--json").json) == [("raw", "v2?", True)]


def test_a_server_adds_what_is_not_here(made: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    mine = names(made("lineage", "model", "--json").json)
    assert mine == [("model", "v1", True), ("clean", "v1", True), ("raw", "v1", True)]
    alone = other(tmp_path, server, "model")
    told = alone("lineage", "model", "--json").json
    assert names(told) == [("model", "v1", True), ("admin/deep/clean", "v1", False), ("admin/deep/raw", "v1", False)]
    assert told["versions"][1]["command"] == "sort -o clean.csv raw/a.csv"
    told = other(tmp_path, server, "raw")("lineage", "--down", "--json").json
    assert names(told) == [("raw", "v1", True), ("admin/deep/clean", "v1", False), ("admin/deep/model", "v1", False)]
    # What isn't pushed yet is here alone, and what it was made from is asked for all the same.
    alone("run", "-i", "model", "-o", "model=.", "--", "sh", "-c", "echo better > model")
    told = alone("lineage", "model", "--json").json
    assert [one[:2] for one in names(told)][:2] == [("model", "v2?"), ("model", "v1")]
    assert [one[0] for one in names(told)][2:] == ["admin/deep/clean", "admin/deep/raw"]
    lines = alone("lineage", "model@v1", "--local").out.splitlines()
    assert re.fullmatch("  admin/deep/clean [0-9a-f]{12}: nothing more is known of it", lines[2])
    told = alone("lineage", "model@v1", "--depth", "1", "--json")
    assert ([one[0] for one in names(told.json)], told.json["is_whole"]) == (["model", "admin/deep/clean"], False)
    assert "there is more" in told.err


def test_without_the_server_it_says_what_it_does_not_know(made: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    alone = other(tmp_path, server, "model")
    alone("remote", "set-url", "origin", f"{NOBODY}/admin/deep")
    found = alone("lineage", "model")
    assert f"note: {NOBODY} could not be asked: " in found.err
    assert "nothing more is known of it" in found.out
    told = alone("lineage", "model", "--json").json
    assert [one["origin"] for one in told["not_asked"]] == [NOBODY]
    assert [one["name"] for one in told["unknown"]] == ["admin/deep/clean"]
    assert len(made("lineage", "model", "--json").json["versions"]) == 3
    assert alone("lineage", "model", "--local").err == ""


def test_a_graph_is_printed_for_graphviz(made: Shell) -> None:
    made("run", "-m", 'a "quoted"', "-i", "raw", "-o", "odd=odd", "--", "sh", "-c", 'echo "\\n" > odd')
    lines = made("lineage", "odd", "--dot").out.splitlines()
    assert (lines[0], lines[-1]) == ("digraph lineage {", "}")
    odd, raw = (made("show", name, "--json").json["version"]["commit"]["id"] for name in ("odd", "raw"))
    assert f'  "{raw}" -> "{odd}";' in lines
    labels = [json.loads(match[1]) for line in lines if (match := re.search(r'label=("(?:[^"\\]|\\.)*")\];', line))]
    assert labels[0] == f"odd v1? {odd[:12]}\nsh -c 'echo \"\\n\" > odd'"
    assert labels[1].startswith("raw v1 ")


def test_what_makes_no_sense_is_refused(made: Shell) -> None:
    assert "two questions" in made("lineage", "raw", "--up", "--down", code=2).err
    assert "two forms" in made("lineage", "raw", "--dot", "--json", code=2).err
    assert "expected no path" in made("lineage", "raw:a.csv", code=2).err
    made("lineage", "raw@v7", code=2)


def test_hostile_trailers_of_a_foreign_commit_do_no_harm(shell: Shell) -> None:
    shell.write("raw/a.csv", "1\n")
    raw = shell.commit("raw")
    shell.write("x", "1")
    shell("add", "x")
    lines = [
        "Aimd-Input: \x1b[2J@" + "a" * 40,
        f"Aimd-Input: raw@{raw}",
        "Aimd-Command: \x1b]0;title\x07",
        "Aimd-Trial: %n",
    ]
    shell("commit", "x", "-m", "m", "-m", "\n".join(lines))
    told = shell("lineage", "x", "--json").json
    assert names(told) == [("x", "v1?", True), ("raw", "v1?", True)]
    assert "\x1b" not in shell("lineage", "x").out + shell("lineage", "x", "--dot").out


def test_a_trial_is_shown_by_its_name(server: EmbeddedServer, tmp_path: Path, home: Path) -> None:
    code = (
        f"aimdvc.login({server.url!r}, {server.admin_key!r})\n"
        "data, model = (aimdvc.create_artifact(name, 'dataset') for name in ('data', 'model'))\n"
        "for one in (data, model):\n    one.add_reference('https://example.org/' + one.name)\n"
        "data.upload()\n"
        "with aimdvc.create_trial(trial_name='run') as trial:\n"
        "    trial.mark_output(model)\n    trial.mark_input(data)\n"
        "model.upload()\ntrial.upload()\nsay(trial.id)\n"
    )
    running = start(home, code)
    out, _ = running.communicate(timeout=60)
    shell = Shell(tmp_path)
    shell("clone", f"{server.url}/admin/default/model", "mine")
    lines = shell("lineage", "model", at=tmp_path / "mine").out.splitlines()
    assert f"    trial   admin/default/run {out.strip()}" in lines
    assert any(line.startswith("  admin/default/data v1 ") for line in lines)
