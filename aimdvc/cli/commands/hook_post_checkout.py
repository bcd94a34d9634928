"""`aimdvc hook post-checkout`, `post-merge` and `post-rewrite`."""

import click

from aimdvc.cli.following import follow
from aimdvc.cli.hooked import Hooked, hook
from aimdvc.ops.hook_checkout import is_in_between

_ID = "aimdvc-checkout"
_OF_OTHERS = ("PRE_COMMIT_IS_SQUASH_MERGE", "PRE_COMMIT_REWRITE_COMMAND")


@hook("post-checkout", _ID)
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.argument("flag", required=False)
def hook_post_checkout_command(hooked: Hooked, old: str | None, new: str | None, flag: str | None) -> int:
    """Make artifacts those that the checked out code pins

    Git calls it after `git checkout` and `git switch`, after `git worktree add`, and at each step of `git bisect`; a
    checkout of files alone (FLAG 0) is left alone, and the steps within a rebase, whose end is followed. What isn't
    here is fetched only from a server that you have a key for, or a folder that was fetched from before; otherwise one
    line says what to run. No local change is lost: an artifact that one keeps from moving stays, which is told, and
    exits with 1.

    \b
    Example:
      aimdvc hook post-checkout HEAD~1 HEAD 1
    """
    variables = hooked.variables
    if hooked.is_framework and any(variables.get(name) for name in _OF_OTHERS):
        return follow(hooked, None if variables.get(_OF_OTHERS[0]) is None else _orig_head(hooked))
    if (flag or variables.get("PRE_COMMIT_CHECKOUT_TYPE", "1")) != "1" or is_in_between(hooked.project):
        return 0
    return follow(hooked, old or variables.get("PRE_COMMIT_FROM_REF"))


@hook("post-merge", _ID)
@click.argument("squash", required=False)
def hook_post_merge_command(hooked: Hooked, squash: str | None) -> int:
    """Make artifacts those that the merged code pins

    Git calls it after `git merge` and `git pull`, not after a merge with conflicts. It does what `aimdvc hook
    post-checkout` does.

    \b
    Example:
      aimdvc hook post-merge 0
    """
    return follow(hooked, _orig_head(hooked))


@hook("post-rewrite", _ID)
@click.argument("what", required=False, metavar="[COMMAND]")
def hook_post_rewrite_command(hooked: Hooked, what: str | None) -> int:
    """Make artifacts those that the rebased code pins

    Git calls it at the end of `git rebase`, and after `git commit --amend`. It does what `aimdvc hook post-checkout`
    does.

    \b
    Example:
      aimdvc hook post-rewrite rebase
    """
    return follow(hooked, _orig_head(hooked) if what == "rebase" else None)


def _orig_head(hooked: Hooked) -> str | None:
    """Returns where HEAD stood before a merge or a rebase, as Git notes it."""
    path = hooked.project.git_dir / "ORIG_HEAD"
    return path.read_text("ascii", "replace").strip() if path.is_file() else None
