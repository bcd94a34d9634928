"""Where lines of ours go in a commit's message."""

from aimdvc.model.commitmessage import with_lines

LINES = {"images": "images: v1 → v2, +1 file"}
CUT = "# ------------------------ >8 ------------------------\n"


def test_lines_go_after_what_is_written() -> None:
    assert with_lines("Train\n", LINES, False) == "Train\n\nimages: v1 → v2, +1 file\n"
    assert with_lines("Train\n\nOn more.\n", LINES, False) == "Train\n\nOn more.\n\nimages: v1 → v2, +1 file\n"


def test_lines_go_before_the_remarks_of_git_whatever_begins_them() -> None:
    for mark in "#;":
        remarks = f"{mark} Please enter\n{mark}\n{mark} On branch main\n"
        assert with_lines(f"\n{remarks}", LINES, True) == f"\n\nimages: v1 → v2, +1 file\n\n{remarks}"
        assert with_lines(f"Begun\n\n{remarks}", LINES, True) == f"Begun\n\nimages: v1 → v2, +1 file\n\n{remarks}"


def test_a_diff_below_the_scissors_stays_below_them() -> None:
    message = f"\n# Please\n{CUT}# Do not touch\ndiff --git a b\n+x\n"
    made = with_lines(message, LINES, True)
    assert made.startswith("\n\nimages: v1 → v2, +1 file\n\n# Please\n")
    assert made.endswith(f"{CUT}# Do not touch\ndiff --git a b\n+x\n")


def test_trailers_stay_the_last_paragraph() -> None:
    made = with_lines("Train\n\nSigned-off-by: A <a@b.c>\n", LINES, False)
    assert made == "Train\n\nimages: v1 → v2, +1 file\n\nSigned-off-by: A <a@b.c>\n"


def test_an_artifact_is_told_once() -> None:
    for message in ("Train\n\nimages: v1 → v2, +1 file\n", "Train\n\nimages: v0 → v2\n"):
        assert with_lines(message, LINES, False) == message
    assert with_lines("Train\n", {}, False) == "Train\n"
