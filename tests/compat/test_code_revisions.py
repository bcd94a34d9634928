"""Names of code commits, and files as those commits and the index have them, with stock Git as judge."""

import subprocess
from pathlib import Path

import pytest

from aimdvc.errors import AmbiguousRevision, UsageError
from aimdvc.git.coderevs import read_at, read_staged, resolve_code
from tests.shell import git

REVISIONS = (
    *("HEAD", "@", "HEAD~", "HEAD~2", "HEAD^", "HEAD^2", "HEAD^2~1", "HEAD^0", "HEAD~0", "HEAD^^", "HEAD^{}"),
    *(
        "HEAD^{commit}",
        "main",
        "heads/main",
        "refs/heads/main",
        "topic/a",
        "topic/a^",
        "v1",
        "v1^{}",
        "v1~1",
        "tags/v1",
    ),
    *(
        "light",
        "both",
        "origin",
        "origin/main",
        "remotes/origin/main",
        "refs/remotes/origin/main",
        "ORIG_HEAD",
        "FETCH_HEAD",
    ),
    *("main~2^{commit}", "abcd", "main^1", "main~1^1", "deep~1~1"),
)
NOT_THERE = ("nothing", "main~900", "main^3", "v1:lock", "tree", "HEAD@{u}", ":/m", "a..b", "", "^main", "main^{tree}")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    place = tmp_path / "code"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    for number in range(4):
        (place / "lock").write_text(f"{number}\n")
        git(place, "add", "."), git(place, "commit", "-qm", f"m{number}")
    git(place, "tag", "-a", "-m", "t", "v1", "HEAD~1")
    git(place, "tag", "light")
    git(place, "checkout", "-qb", "topic/a", "HEAD~2")
    (place / "other").write_text("x")
    git(place, "add", "."), git(place, "commit", "-qm", "side")
    git(place, "branch", "abcd")
    git(place, "branch", "both"), git(place, "tag", "both", "main~1")
    git(place, "checkout", "-q", "main")
    git(place, "merge", "-q", "--no-edit", "topic/a")
    git(place, "update-ref", "refs/remotes/origin/main", "main~1")
    git(place, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git(place, "branch", "deep")
    git(place, "tag", "tree", "HEAD^{tree}")
    git(place, "fetch", "-q", ".", "topic/a")
    git(place, "reset", "-q", "--hard", "main")
    return place


def judged(place: Path, revision: str) -> str:
    return git(place, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}").strip()


@pytest.mark.parametrize("is_packed", [False, True], ids=["loose", "packed"])
def test_each_name_means_what_git_takes_it_for(code: Path, is_packed: bool) -> None:
    if is_packed:
        git(code, "gc", "-q")
    dot_git = code / ".git"
    ids = git(code, "rev-list", "--all").split()
    for revision in (*REVISIONS, *ids, *(git_id[:12] for git_id in ids), f"{ids[0]}~1", f"{ids[0][:9]}^1"):
        assert resolve_code(dot_git, dot_git, revision) == judged(code, revision), revision


@pytest.mark.parametrize("revision", NOT_THERE)
def test_what_is_no_commit_is_refused_with_a_hint(code: Path, revision: str) -> None:
    with pytest.raises(UsageError) as told:
        resolve_code(code / ".git", code / ".git", revision)
    assert told.value.hint


def test_a_work_tree_has_its_own_head(code: Path, tmp_path: Path) -> None:
    git(code, "worktree", "add", "-q", "--detach", str(tmp_path / "other"), "topic/a")
    git_dir = code / ".git/worktrees/other"
    git(tmp_path / "other", "update-ref", "refs/bisect/bad", "main")
    for revision in ("HEAD", "HEAD~1", "main", "bisect/bad"):
        assert resolve_code(git_dir, code / ".git", revision) == judged(tmp_path / "other", revision)
    with pytest.raises(UsageError):
        resolve_code(code / ".git", code / ".git", "bisect/bad")


def test_before_the_first_commit_there_is_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", ".")
    with pytest.raises(UsageError, match="no revision 'HEAD'"):
        resolve_code(tmp_path / ".git", tmp_path / ".git", "HEAD")


def test_an_abbreviation_of_several_commits_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", ".")
    tree = git(tmp_path, "mktree", "--missing").strip()
    seen: dict[str, str] = {}
    for number in range(3000):
        made = git(tmp_path, "commit-tree", tree, "-m", str(number)).strip()
        if made[:4] in seen:
            break
        seen[made[:4]] = made
    with pytest.raises(AmbiguousRevision) as told:
        resolve_code(tmp_path / ".git", tmp_path / ".git", made[:4])
    assert made in str(told.value)


def test_files_are_read_as_git_shows_them(code: Path) -> None:
    dot_git = code / ".git"
    (code / "sub").mkdir()
    (code / "sub/lock").write_bytes(b"a\r\nb\0")
    (code / "link").symlink_to("lock")
    (code / "new").write_text("staged")
    git(code, "add", ".")
    head = resolve_code(dot_git, dot_git, "HEAD")
    assert read_staged(dot_git, dot_git, "sub/lock") == b"a\r\nb\0"
    (code / "new").write_text("later")
    assert read_staged(dot_git, dot_git, "new") == b"staged"
    assert read_at(dot_git, head, "new") is None
    git(code, "commit", "-qm", "more")
    head = resolve_code(dot_git, dot_git, "HEAD")
    for path in ("lock", "sub/lock", "new"):
        assert (
            read_at(dot_git, head, path)
            == subprocess.run(["git", "show", f"{head}:{path}"], cwd=code, capture_output=True, check=True).stdout
        )
        assert read_staged(dot_git, dot_git, path) == read_at(dot_git, head, path)
    for path in ("link", "sub", "nothing", "lock/x"):
        assert read_at(dot_git, head, path) is None
        assert read_staged(dot_git, dot_git, path) is None
    assert read_at(dot_git, resolve_code(dot_git, dot_git, "HEAD~2"), "lock") == b"3\n"


def test_a_file_in_conflict_is_refused_and_another_index_is_read(code: Path) -> None:
    dot_git = code / ".git"
    git(code, "checkout", "-qb", "side", "HEAD~2")
    (code / "lock").write_text("side\n")
    git(code, "commit", "-qam", "side")
    merge = subprocess.run(["git", "merge", "main"], cwd=code, capture_output=True, text=True, check=False)
    assert merge.returncode == 1, merge.stdout
    with pytest.raises(UsageError, match="'lock' is in conflict") as told:
        read_staged(dot_git, dot_git, "lock")
    assert "git add lock" in told.value.hint
    (code / "lock").write_text("settled\n")
    subprocess.run(
        ["git", "add", "lock"],
        cwd=code,
        check=True,
        env={"PATH": "/usr/bin:/bin", "GIT_INDEX_FILE": str(code / "other-index")},
    )
    assert read_staged(dot_git, dot_git, "lock", code / "other-index") == b"settled\n"


def test_what_a_shallow_or_partial_clone_lacks_is_told(code: Path, tmp_path: Path) -> None:
    old = judged(code, "HEAD~2")
    git(tmp_path, "clone", "-q", "--depth", "1", code.as_uri(), "shallow")
    dot_git = tmp_path / "shallow/.git"
    for revision in ("HEAD~1", old, old[:10]):
        with pytest.raises(UsageError) as told:
            resolve_code(dot_git, dot_git, revision)
        assert "git fetch --unshallow" in told.value.hint
    assert read_at(dot_git, resolve_code(dot_git, dot_git, "HEAD"), "lock") == b"3\n"
    git(code, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", code.as_uri(), "partial")
    dot_git = tmp_path / "partial/.git"
    head = resolve_code(dot_git, dot_git, "HEAD~1")
    with pytest.raises(UsageError, match="not in this clone") as told:
        read_at(dot_git, head, "lock")
    git(tmp_path / "partial", *told.value.hint.partition("`git ")[2].partition("`")[0].split())
    assert read_at(dot_git, head, "lock") == b"3\n"
