"""What people type who come from Git, Git LFS, DVC, W&B and the Hugging Face Hub, and how it is spelled here."""

_COMMIT_AGAIN = (
    "a version is not made anew: commit again, or `aimdvc reset NAME@HEAD~1`, which leaves the files, and then commit"
)

COMMANDS = {
    "amend": _COMMIT_AGAIN,
    "annotate": "`aimdvc blame` shows which version made each file what it is",
    "cherry-pick": "`aimdvc checkout NAME@REV -- PATH` takes files of another version; `aimdvc merge` takes all",
    "delete": "`aimdvc rm` removes files or an artifact from the workspace; versions stay",
    "describe": "`aimdvc show` tells a version's number and aliases",
    "destroy": "`aimdvc rm -r PATH` removes an artifact from the workspace",
    "download": "`aimdvc get URL/NAME@REV` writes a version's files; `aimdvc pull` brings the workspace up to date",
    "freeze": "aimdvc.lock pins every version that the code uses (`aimdvc help lock`)",
    "gc": "`aimdvc prune` takes what nothing needs, `aimdvc maintenance` joins small packs",
    "import-url": "`aimdvc ref add URI NAME:KEY` records what lies elsewhere",
    "install": "`aimdvc init` makes a workspace; `aimdvc hooks install` has Git's hooks run aimdvc",
    "lfs": "there are no lfs commands here: `aimdvc help from-git-lfs` names ours",
    "list": "`aimdvc ls` lists what is here, `aimdvc ls-remote` what a remote has",
    "ls-files": "`aimdvc ls NAME` lists the files of a version",
    "ls-tree": "`aimdvc ls NAME@REV` lists the files of a version",
    "migrate": "`aimdvc add PATH` takes files over; Git has to forget them: `git rm --cached -r PATH`",
    "rebase": "`aimdvc pull --rebase` makes local versions anew on the remote's",
    "remove": "`aimdvc rm` removes files or an artifact",
    "rename": "`aimdvc mv` renames files and artifacts",
    "repro": "aimdvc keeps versions and runs nothing",
    "stage": "`aimdvc add` stages",
    "stash": "commit on a branch instead: `aimdvc switch -c wip`, then `aimdvc commit -am wip`",
    "unprotect": "files here can be written; links: `aimdvc config core.link copy`",
    "unstage": "`aimdvc restore --staged PATH` unstages",
    "upload": "`aimdvc push` sends versions",
    "use": "`aimdvc checkout NAME@REV` makes the files those of a version",
    "versions": "`aimdvc log NAME` lists the versions",
    "worktree": "`git worktree add`, then `aimdvc checkout` in it: the store is shared",
}
"""A command that isn't one: what there is instead."""

OPTIONS = {
    ("add", "-p"): "whole files are staged: name those that are to be",
    ("commit", "--amend"): _COMMIT_AGAIN,
    ("config", "--list"): "`aimdvc config` alone lists the settings",
    ("fetch", "--all"): "without NAME all artifacts are fetched",
    ("pull", "--force"): "`aimdvc checkout --force` loses local changes",
    ("push", "--force"): "published versions stay: pull first; `aimdvc push --restore` is for a remote that went back",
    ("push", "-f"): "published versions stay: pull first; `aimdvc push --restore` is for a remote that went back",
    ("push", "--tags"): "versions are numbered, and aliases sent, with every push",
    ("push", "-u"): "the remote is the artifact's own: leave -u out",
    ("status", "-b"): "`aimdvc status` tells the branch",
    ("status", "-c"): "`aimdvc fetch`, then `aimdvc status` compares with the remote",
    ("tag", "-a"): "`aimdvc alias set NAME@REV ALIAS` names a version; numbers are given by the push",
    ("tag", "-d"): "numbers stay; `aimdvc alias delete NAME ALIAS` deletes an alias",
}
"""An option that a command doesn't have: what there is instead."""
