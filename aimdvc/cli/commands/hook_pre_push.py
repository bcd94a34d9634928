"""`aimdvc hook pre-push`."""

import importlib
import sys
from collections.abc import Iterator

import click

from aimdvc.cli.hooked import Hooked, hook
from aimdvc.cli.output import described, say_error
from aimdvc.errors import Refused
from aimdvc.git.codepush import local_tips, remote_tips
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.ops.bulk import Failure
from aimdvc.ops.hook_pre_push import CodePush, PushChecked, check_push
from aimdvc.ops.workspace import Workspace


@hook("pre-push", "aimdvc-push")
@click.argument("remote", required=False)
@click.argument("url", required=False)
@click.option("--upload", "is_upload", is_flag=True, help="Push the artifacts that lack something, instead of failing.")
def hook_pre_push_command(hooked: Hooked, remote: str | None, url: str | None, is_upload: bool) -> int:
    """Stop a push of code that pins what no one can get

    Git calls it with the REMOTE of the code and gives the refs that are pushed on stdin. Every version that the pushed
    commits pin has to be on its artifact's remote; what is not is told with the commit of the code and the command to
    run, and the exit code is 1. What was fetched from or pushed to the remote before is there, and needs no network;
    for the rest the remote is asked, and when it can't be, the exit code is 6. pre-commit tells only one of the refs:
    under it all local branches and tags count that the remote lacks.

    \b
    Example:
      aimdvc hook pre-push origin https://git.example.org/project < /dev/null
    """
    name = remote or hooked.variables.get("PRE_COMMIT_REMOTE_NAME", "")
    code = _local(hooked, name) if hooked.is_framework or sys.stdin.isatty() else _told(hooked, name, sys.stdin)
    if not set(code.tips) - set(code.have):
        return 0
    lines, found, failed = [], [], []
    with hooked.workspaces() as workspaces:
        for workspace in workspaces:
            done = _check(hooked, workspace, code, is_upload)
            place = hooked.place(workspace)
            lines += [f"aimdvc: {place}{finding.line}" for finding in done.findings]
            found += done.findings
            failed += done.failed
    told = [{"artifact": one.artifact, **described(one.error)} for one in failed]
    hooked.cli.out.result({"findings": found, "failed": told}, lines)
    sys.stdout.flush()
    for failure in failed:
        _say(failure)
    if found:
        return Refused.exit_code
    return failed[0].error.exit_code if failed else 0


def _check(hooked: Hooked, workspace: Workspace, code: CodePush, is_upload: bool) -> PushChecked:
    done, unproven = check_push(hooked.project, workspace, code)
    if not unproven:
        return done
    # What was not fetched nor pushed yet: only now anything of the network is loaded.
    network = importlib.import_module("aimdvc.cli.network")
    asking = importlib.import_module("aimdvc.ops.hook_pre_push_remote")
    progress = hooked.cli.progress
    with network.connector(hooked.cli) as connector:
        asking.ask_remotes(workspace, connector, unproven, done, progress)
        if is_upload and done.findings:
            sent = asking.upload(workspace, dict.fromkeys(one.artifact for one in done.findings), connector, progress)
            for one in sent.done:
                hooked.cli.out.note(f"{one.artifact}: pushed {', '.join(one.versions) or one.branch} to {one.url}")
            done, unproven = check_push(hooked.project, workspace, code)
            asking.ask_remotes(workspace, connector, unproven, done, progress)
            done.failed += sent.failed
    return done


def _say(failure: Failure) -> None:
    error = failure.error
    say_error(f"{failure.artifact}: can't tell whether its remote has what is pushed: {error.message}", error.hint)


def _told(hooked: Hooked, remote: str, lines: Iterator[str]) -> CodePush:
    """Returns what Git says on stdin: `<local ref> <local id> <remote ref> <remote id>` a line, zeros for none."""
    tips, have = [], remote_tips(hooked.project.common_dir, remote)
    for line in lines:
        words = line.split()
        if len(words) == 4 and is_git_id(words[1]) and words[1].strip("0"):
            tips.append(GitId(words[1]))
            have |= {GitId(words[3])} if is_git_id(words[3]) and words[3].strip("0") else set()
    return CodePush(tips, have)


def _local(hooked: Hooked, remote: str) -> CodePush:
    """Returns all that a push could bring a remote, for callers that tell only one of its refs."""
    tips, have = local_tips(hooked.project.common_dir), remote_tips(hooked.project.common_dir, remote)
    for name, ids in (("PRE_COMMIT_TO_REF", tips), ("PRE_COMMIT_FROM_REF", have)):
        told = hooked.variables.get(name, "")
        if is_git_id(told) and told.strip("0"):
            ids.add(GitId(told))
    return CodePush(tips, have)
