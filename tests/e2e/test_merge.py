"""Merging: stock Git is the judge of the commits, and neither side's bytes are lost."""

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from tests.e2e.diverging import BASE, conflicting, conflicts, data, in_git, repository, two_lines, write_all
from tests.shell import Shell, git


def test_a_merge_is_what_git_would_make(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n", "mine": "m\n"}, {"c.md": "theirs\n", "dir/d": None, "new/n": "n\n"})
    ours, theirs = in_git(shell, "rev-parse", "main"), in_git(shell, "rev-parse", "topic")
    expected = in_git(shell, "merge-tree", "--write-tree", "main", "topic")
    done = shell("merge", "topic", "--json").json["artifacts"][0]
    assert done["how"] == "merge"
    assert in_git(shell, "rev-parse", "main", "main^1", "main^2").split() == [done["new"], ours, theirs]
    assert in_git(shell, "rev-parse", "main^{tree}") == expected
    assert in_git(shell, "log", "-1", "--format=%s", "main") == "Merge branch 'topic'"
    in_git(shell, "fsck", "--strict")
    assert shell("status", "-s").out == ""
    assert data(shell).keys() == {"a.txt", "b.txt", "c.md", "mine", "new/n"}


def test_a_fast_forward_makes_no_commit_and_no_ff_does(shell: Shell) -> None:
    two_lines(shell, {}, {"c.md": "theirs\n"})
    topic = in_git(shell, "rev-parse", "topic")
    shell("merge", "--no-ff", "-m", "together", "topic")
    assert in_git(shell, "log", "-1", "--format=%s %p", "main").split()[0] == "together"
    assert in_git(shell, "rev-parse", "main^2") == topic
    assert in_git(shell, "rev-parse", "main^{tree}") == in_git(shell, "rev-parse", "topic^{tree}")
    shell("reset", "--hard", "@main@{1}")
    assert "fast-forward" in shell("merge", "--ff-only", "topic").out
    assert in_git(shell, "rev-parse", "main") == topic
    assert "up to date" in shell("merge", "topic").out


def test_ff_only_does_nothing_where_both_have_versions(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"c.md": "theirs\n"})
    before = data(shell), in_git(shell, "rev-parse", "main")
    assert shell("merge", "--ff-only", "topic", "--json", code=1).json["error"] == "refused"
    assert (data(shell), in_git(shell, "rev-parse", "main")) == before


def test_main_keeps_its_versions_on_its_first_parent_line(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"c.md": "theirs\n"})
    ours = in_git(shell, "rev-parse", "main")
    shell("switch", "topic")
    shell("merge", "main")
    shell("switch", "main")
    # Git would fast-forward: then topic's line would be main's, and `v2` no longer on it.
    assert "merge to v3?" in shell("merge", "topic").out
    assert in_git(shell, "rev-parse", "main^1") == ours
    assert [line["version"] for line in shell("log", "--json").json["versions"]].count("v2?") == 1


def test_a_conflict_stops_with_ours_in_place_and_the_rest_staged(shell: Shell) -> None:
    conflicting(shell)
    done = shell("merge", "topic", "--json", code=1).json
    assert done["error"] == "merge-conflict"
    assert conflicts(shell) == ["a.txt", "b.txt"]
    assert data(shell) == {"a.txt": b"ours a\n", "c.md": b"theirs c\n", "mine": b"m\n", "new/n": b"n\n"}
    text = shell("status").out
    assert "merge of branch 'topic' in progress" in text
    assert "both modified: data/a.txt\n    deleted by us: data/b.txt\n" in text
    assert shell("status", "-s").out == "UU data/a.txt\nDU data/b.txt\nM  data/c.md\nD  data/dir/d\nA  data/new/n\n"
    refused = shell("commit", "-m", "x", "--json", code=1).json
    assert refused["error"] == "merge-conflict"
    assert "'a.txt', 'b.txt' (deleted by us)" in refused["message"]


def test_conflicts_are_called_what_git_calls_them(shell: Shell) -> None:
    base: dict[str, str | None] = {"a.txt": "ours\n", "b.txt": None, "c.md": "ours\n", "both": "ours\n"}
    two_lines(shell, base, {"a.txt": "theirs\n", "b.txt": "theirs\n", "c.md": None, "both": "theirs\n"})
    git(shell.here, "clone", "-q", str(repository(shell)), "plain")
    plain = shell.here / "plain"
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    with pytest.raises(AssertionError, match="CONFLICT"):
        git(plain, *identity, "-c", "core.attributesFile=/dev/null", "merge", "origin/topic")
    theirs = sorted(git(plain, "status", "--porcelain").splitlines())
    assert [line[:2] for line in theirs] == ["AA", "DU", "UD", "UU"]
    shell("merge", "topic", code=1)
    assert sorted(shell("status", "-s").out.replace("data/", "").splitlines()) == theirs


@pytest.mark.parametrize(
    "verb", [["checkout", "@topic"], ["switch", "topic"], ["merge", "topic"], ["revert", "HEAD"], ["switch", "-c", "x"]]
)
def test_other_verbs_wait_for_the_end_of_the_merge(verb: list[str], shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    before = data(shell)
    said = shell(*verb, code=1).err
    assert "has to wait: a merge of branch 'topic' is in progress" in said
    assert data(shell) == before
    assert conflicts(shell) == ["a.txt", "b.txt"]


def test_an_abort_gives_back_what_was_before(shell: Shell) -> None:
    conflicting(shell)
    shell.write("data/mine", "edited\n")
    shell.write("data/untracked", "u\n")
    before = data(shell), shell("status", "--json").json, in_git(shell, "rev-parse", "main")
    shell("merge", "topic", code=1)
    shell.write("data/a.txt", "half settled\n")
    shell("merge", "--theirs", "--", "data/b.txt")
    shell("add", "data/mine", "data/untracked")
    shell("merge", "--abort")
    assert (data(shell), shell("status", "--json").json, in_git(shell, "rev-parse", "main")) == before
    assert "no merge of 'data' is in progress" in shell("merge", "--abort", code=1).err


def test_an_abort_does_not_lose_an_edit_of_what_did_not_conflict(shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    shell.write("data/c.md", "edited\n")
    assert shell("merge", "--abort", "--json", code=1).json["error"] == "local-change"
    assert data(shell)["c.md"] == b"edited\n"
    shell("reset", "--hard")
    assert data(shell) == {"a.txt": b"ours a\n", "c.md": b"c\n", "dir/d": b"d\n", "mine": b"m\n"}
    assert shell("status", "--json").json["artifacts"][0]["merging"] is None


def test_a_merge_that_could_not_be_undone_does_not_begin(shell: Shell) -> None:
    conflicting(shell)
    for path in ("a.txt", "b.txt", "c.md", "new/n"):
        shell.write(f"data/{path}", "mine alone\n")
        before = data(shell)
        assert shell("merge", "topic", "--json", code=1).json["error"] == "local-change", path
        assert data(shell) == before
        shell("restore", "data") if path in ("a.txt", "c.md") else (shell.here / "data" / path).unlink()
    shell.write("data/other", "o\n")
    shell("add", "data/other")
    assert "staged changes" in shell("merge", "topic", code=2).err
    assert shell("status", "--json").json["artifacts"][0]["merging"] is None


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_one_side_settles_every_conflict(side: str, is_at_once: bool, shell: Shell) -> None:
    conflicting(shell)
    if is_at_once:
        shell("merge", f"--{side}", "topic")
    else:
        shell("merge", "topic", code=1)
        assert "2 conflicts settled; `aimdvc commit` finishes it" in shell("merge", f"--{side}").out
        assert conflicts(shell) == []
        shell("commit")
    settled = {"ours": {"a.txt": b"ours a\n"}, "theirs": {"a.txt": b"theirs a\n", "b.txt": b"theirs b\n"}}[side]
    assert data(shell) == {"c.md": b"theirs c\n", "mine": b"m\n", "new/n": b"n\n"} | settled
    assert in_git(shell, "log", "-1", "--format=%s", "main") == "Merge branch 'topic'"
    assert in_git(shell, "rev-parse", "main^2") == in_git(shell, "rev-parse", "topic")
    assert shell("cat", "@main^1:a.txt").out == "ours a\n"
    assert shell("cat", "@main^2:a.txt").out == "theirs a\n"
    assert shell("status", "-s").out == ""
    in_git(shell, "fsck", "--strict")


def test_each_conflict_is_settled_in_its_own_way_and_can_be_settled_anew(shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    shell("merge", "--theirs", "--", "data/b.txt")
    assert conflicts(shell) == ["a.txt"]
    shell("merge", "--ours", "--", "data/b.txt")
    assert "b.txt" not in data(shell)
    shell.write("data/a.txt", "both\n")
    shell("add", "data/a.txt")
    assert conflicts(shell) == []
    shell("commit", "-m", "settled by hand")
    assert data(shell)["a.txt"] == b"both\n"
    assert in_git(shell, "log", "-1", "--format=%s", "main") == "settled by hand"
    assert len(in_git(shell, "log", "-1", "--format=%P", "main").split()) == 2
    assert shell("status", "-s").out == ""


def test_adding_everything_settles_no_path_that_nobody_touched(shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    shell("add", "data")
    assert conflicts(shell) == ["a.txt", "b.txt"]
    shell("add", "data/a.txt")
    assert conflicts(shell) == ["b.txt"]
    shell("add", "data/b.txt")
    shell("commit")
    assert data(shell)["a.txt"] == b"ours a\n"
    assert "b.txt" not in data(shell)


def test_commit_all_takes_the_edits_of_conflicting_files(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"a.txt": "theirs\n"})
    shell("merge", "topic", code=1)
    assert shell("commit", "-a", "-m", "x", "--json", code=1).json["error"] == "merge-conflict"
    shell.write("data/a.txt", "both\n")
    shell("commit", "-a")
    assert len(in_git(shell, "log", "-1", "--format=%P", "main").split()) == 2


def test_restoring_theirs_from_a_revision_settles(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"a.txt": "theirs\n"})
    shell("merge", "topic", code=1)
    shell("restore", "--source", "topic", "data/a.txt")
    assert conflicts(shell) == []


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("is_file_ours", [True, False])
def test_a_file_where_the_other_has_a_directory_is_settled_either_way(
    side: str, is_file_ours: bool, shell: Shell
) -> None:
    one: dict[str, str | None] = {"x": "a file\n"}
    other: dict[str, str | None] = {"x/y": "below\n", "x/z": "below\n"}
    two_lines(shell, *((one, other) if is_file_ours else (other, one)))
    before = data(shell)
    shell("merge", "topic", code=1)
    assert data(shell) == before
    shell("merge", f"--{side}")
    shell("merge", "--abort")
    assert data(shell) == before
    assert shell("status", "-s").out == ""
    shell("merge", "topic", code=1)
    shell("merge", f"--{side}")
    shell("commit")
    is_file = is_file_ours == (side == "ours")
    assert {path for path in data(shell) if path[0] == "x"} == ({"x"} if is_file else {"x/y", "x/z"})
    assert shell("status", "-s").out == ""
    in_git(shell, "fsck", "--strict")


def test_rules_of_one_side_and_files_of_the_other_agree_in_the_merge(shell: Shell) -> None:
    write_all(shell, dict(BASE))
    shell.commit("data", "base")
    shell("switch", "-c", "topic")
    shell.write("data/a.txt", "theirs\n")
    shell("track", "*.md")
    shell("add", "data")
    shell("commit", "-m", "track")
    shell("switch", "main")
    shell.write("data/a.txt", "ours\n")
    shell.write("data/more.md", "more\n")
    shell.commit("data", "ours")
    shell("merge", "topic", code=1)
    shell("merge", "--ours")
    shell("commit")
    assert in_git(shell, "show", "main:more.md").startswith("version https://git-lfs")
    assert data(shell)["more.md"] == b"more\n"
    assert shell("fsck").code == 0
    assert "warning" not in shell("fsck").out


def test_rules_that_both_changed_are_settled_for_all_their_files(shell: Shell) -> None:
    write_all(shell, {**BASE, "note.md": "note\n", "text.rst": "text\n"})
    shell.commit("data", "base")
    shell("switch", "-c", "topic")
    shell("track", "*.md")
    shell("add", "data")
    shell("commit", "-m", "track md")
    shell("switch", "main")
    shell("track", "*.rst")
    shell("add", "data")
    shell("commit", "-m", "track rst")
    shell("merge", "topic", code=1)
    assert conflicts(shell) == [".gitattributes"]
    shell("merge", "--theirs")
    shell("commit")
    assert in_git(shell, "show", "main:note.md").startswith("version https://git-lfs")
    assert in_git(shell, "show", "main:text.rst") == "text"
    assert "warning" not in shell("fsck").out
    assert shell("status", "-s").out == ""


def test_a_lone_file_conflicts_and_is_settled_by_its_own_path(shell: Shell) -> None:
    shell.write("model.bin", "base\n")
    shell.commit("model.bin", "base")
    shell("switch", "-c", "topic")
    shell.write("model.bin", "theirs\n")
    shell.commit("model.bin", "theirs")
    shell("switch", "main")
    shell.write("model.bin", "ours\n")
    shell.commit("model.bin", "ours")
    shell("merge", "topic", code=1)
    assert conflicts(shell) == ["model.bin"]
    shell("merge", "--theirs", "--", "model.bin")
    assert (shell.here / "model.bin").read_text() == "theirs\n"
    shell("merge", "--abort")
    shell("merge", "topic", code=1)
    shell("add", "model.bin")
    shell("commit")
    assert (shell.here / "model.bin").read_text() == "ours\n"


def test_a_reset_ends_the_merge_and_keeps_the_files(shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    merged = data(shell)
    shell("reset")
    assert data(shell) == merged
    assert shell("status", "--json").json["artifacts"][0]["merging"] is None
    assert " M data/c.md" in shell("status", "-s").out


def test_a_message_is_needed_for_what_is_no_merge(shell: Shell) -> None:
    conflicting(shell)
    shell.write("other/o", "o\n")
    shell("add", "other")
    shell("merge", "data@topic", code=1)
    shell("merge", "--ours", "data")
    assert "no message was given for 'other'" in shell("commit", code=2).err
    shell("commit", "data")
    assert in_git(shell, "log", "-1", "--format=%s", "main") == "Merge branch 'topic'"


@pytest.mark.parametrize(
    "arguments",
    [
        ["merge", "--abort", "topic"],
        ["merge", "--abort", "--ours"],
        ["merge", "--ours", "--no-ff"],
        ["merge", "topic", "--", "data/a.txt"],
        ["merge", "@topic:a.txt"],
        ["merge", "--theirs", "--", "data/mine"],
        ["revert"],
        ["merge"],
    ],
)
def test_what_can_t_be_meant_is_refused(arguments: list[str], shell: Shell) -> None:
    conflicting(shell)
    if "--theirs" in arguments:
        shell("merge", "topic", code=1)
    before = data(shell)
    assert shell(arguments[0], "--json", *arguments[1:], code=2).json["exit_code"] == 2
    assert data(shell) == before


def test_metadata_that_both_changed_is_a_conflict_like_any_other(shell: Shell) -> None:
    write_all(shell, dict(BASE))
    shell.commit("data", "base")
    shell("meta", "set", "data", "description", "base")
    shell("commit", "-m", "described")
    shell("switch", "-c", "topic")
    shell("meta", "set", "data", "description", "theirs")
    shell("commit", "-m", "theirs")
    shell("switch", "main")
    shell("meta", "set", "data", "description", "ours")
    shell("commit", "-m", "ours")
    shell("merge", "topic", code=1)
    assert conflicts(shell) == [".aimd/metadata.json"]
    shell("meta", "set", "data", "description", "both")
    assert conflicts(shell) == []
    shell("commit")
    assert shell("meta", "get", "data", "description").out == "both\n"


def test_the_better_of_two_common_ancestors_is_found_whatever_the_clocks_say(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"c.md": "theirs\n"})
    tree = in_git(shell, "rev-parse", "main^{tree}")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000000 +0000")
    old = in_git(shell, "commit-tree", "-p", "main", "-m", "an old clock", tree)
    in_git(shell, "update-ref", "refs/heads/one", in_git(shell, "commit-tree", "-p", old, "-m", "1", tree))
    in_git(
        shell, "update-ref", "refs/heads/two", in_git(shell, "commit-tree", "-p", old, "-p", "main", "-m", "2", tree)
    )
    assert in_git(shell, "merge-base", "one", "two") == old
    with History.open(repository(shell), Disk()) as history:
        one, two = history.ref("refs/heads/one"), history.ref("refs/heads/two")
        assert one is not None and two is not None
        assert history.merge_base(one, two) == history.merge_base(two, one) == old


def test_an_abort_does_not_write_over_a_new_file_where_theirs_took_one_away(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"a.txt": "theirs\n", "b.txt": None})
    shell("merge", "topic", code=1)
    shell.write("data/b.txt", "mine\n")
    assert "data/b.txt" in shell("status", "-s").out
    assert "b.txt" in shell("merge", "--abort", code=1).err
    assert data(shell)["b.txt"] == b"mine\n"
    (shell.here / "data/b.txt").unlink()
    shell("merge", "--abort")
    assert data(shell)["b.txt"] == b"b\n"


def test_an_abort_takes_nothing_else(shell: Shell) -> None:
    conflicting(shell)
    shell("merge", "topic", code=1)
    for line in (["revert", "data@HEAD", "--abort"], ["revert", "--abort", "-m", "1"], ["merge", "--abort", "-m", "x"]):
        shell(*line, code=2)
    shell("revert", "--abort")
    assert shell("status", "--json").json["artifacts"][0]["merging"] is None
