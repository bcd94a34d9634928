"""The commands: name → (module, attribute, one line of help). Listing them imports none of them.

A name of two words, `server user`, is one of a family: `aimdvc server` lists it.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """Where a command is defined, and what `aimdvc --help` says of it."""

    module: str
    attribute: str
    help: str


_PACKAGE = "aimdvc.cli.commands"


def _row(name: str, help_: str, module: str | None = None) -> Row:
    identifier = name.replace("-", "_").replace(" ", "_")
    return Row(f"{_PACKAGE}.{module or identifier}", f"{identifier}_command", help_)


COMMANDS: dict[str, Row] = {
    "init": _row("init", "Make the current directory a workspace"),
    "clone": _row("clone", "Bring an artifact of a remote here, with its history"),
    "get": _row("get", "Write the files of a remote version into a directory", "clone"),
    "add": _row("add", "Stage what changed at paths; make a new path an artifact"),
    "status": _row("status", "Show what is staged, changed, untracked and pinned"),
    "check": _row("check", "Check that what is pinned is all there"),
    "commit": _row("commit", "Make a version of what is staged"),
    "run": _row("run", "Run a command, and make versions of its outputs"),
    "log": _row("log", "List the versions of an artifact, newest first"),
    "show": _row("show", "Show one version and what it changed", "log"),
    "lineage": _row("lineage", "Show what made a version, or what was made from it"),
    "ls": _row("ls", "List the artifacts, or the files of a version"),
    "cat": _row("cat", "Print a file of a version", "ls"),
    "blame": _row("blame", "Show which version made each file what it is"),
    "diff": _row("diff", "Show what differs between versions and workspace"),
    "checkout": _row("checkout", "Make the files those of a version, or of aimdvc.lock"),
    "branch": _row("branch", "List, make, rename and delete branches"),
    "switch": _row("switch", "Go to a branch, or make one and go there", "branch"),
    "merge": _row("merge", "Bring another line of versions into the branch"),
    "revert": _row("revert", "Undo an earlier version by a new one", "merge"),
    "restore": _row("restore", "Put files back as staged, or as in a version"),
    "rm": _row("rm", "Remove files, or an artifact, from the workspace"),
    "mv": _row("mv", "Move or rename files, or an artifact"),
    "reset": _row("reset", "Unstage everything, or move the branch to a version", "restore"),
    "alias": _row("alias", "Name versions by aliases, which can move"),
    "tag": _row("tag", "List the versions and other tags of an artifact", "reflog"),
    "reflog": _row("reflog", "List where HEAD, a branch or an alias stood, newest first"),
    "ref": _row("ref", "Record what lies elsewhere as entries of an artifact"),
    "track": _row("track", "Store paths that match a pattern as blobs"),
    "untrack": _row("untrack", "Keep paths that match a pattern in Git itself", "track"),
    "meta": _row("meta", "Read and set description, type, labels and metadata"),
    "remote": _row("remote", "List and change the remotes"),
    "login": _row("login", "Store the key for a server"),
    "logout": _row("logout", "Forget the key for a server", "login"),
    "ls-remote": _row("ls-remote", "List the refs that a remote has of an artifact"),
    "fetch": _row("fetch", "Bring a remote's versions and aliases here", "pull"),
    "pull": _row("pull", "Fetch, then bring the files up to date"),
    "outdated": _row("outdated", "Show which pins are not the newest version"),
    "upgrade": _row("upgrade", "Move pins to the newest version, or to a named one", "outdated"),
    "why": _row("why", "Show which commits of the code pin a version"),
    "push": _row("push", "Send versions and aliases to the remote"),
    "fsck": _row("fsck", "Read and hash everything, and name what is damaged"),
    "selftest": _row("selftest", "Try whether a file system keeps what aimdvc promises"),
    "du": _row("du", "Show how much room each artifact takes", "fsck"),
    "prune": _row("prune", "Move blobs that nothing needs into the trash"),
    "trash": _row("trash", "List, put back and delete what prune took away"),
    "maintenance": _row("maintenance", "Join small packs and loose objects of the store"),
    "config": _row("config", "Read and set the workspace's settings"),
    "hooks": _row("hooks", "Have Git's hooks keep code and artifacts in step"),
    "import git": _row("import git", "Make artifacts of files that Git tracks, with history", "importing"),
    "import lfs": _row("import lfs", "Make artifacts of files that Git LFS keeps, with history", "importing"),
    "import dvc": _row("import dvc", "Make artifacts of files that DVC keeps, with history", "importing"),
    "hook pre-commit": _row("hook pre-commit", "Stop a code commit that artifacts disagree with"),
    "hook pre-merge-commit": _row(
        "hook pre-merge-commit", "Stop a merge of code that artifacts disagree with", "hook_pre_commit"
    ),
    "hook pre-push": _row("hook pre-push", "Stop a push of code that pins what no one can get"),
    "hook large-files": _row("hook large-files", "Stop files that should be an artifact's"),
    "hook prepare-commit-msg": _row("hook prepare-commit-msg", "Say in a code commit's message which artifacts move"),
    "hook post-checkout": _row("hook post-checkout", "Make artifacts those that the checked out code pins"),
    "hook post-merge": _row("hook post-merge", "Make artifacts those that the merged code pins", "hook_post_checkout"),
    "hook post-rewrite": _row(
        "hook post-rewrite", "Make artifacts those that the rebased code pins", "hook_post_checkout"
    ),
    "serve": _row("serve", "Serve artifacts to others, over HTTP"),
    "server user": _row("server user", "List, add, disable and promote the users of a server", "server_accounts"),
    "server group": _row("server group", "List and make groups of users, and who is in them", "server_accounts"),
    "server key": _row("server key", "List, make and revoke API keys", "server_accounts"),
    "server folder": _row("server folder", "List, make, move and remove the folders of a server", "server_folders"),
    "server share": _row("server share", "Say with whom a folder or an artifact is shared", "server_folders"),
    "server protect": _row("server protect", "Say who alone may move which branches and aliases", "server_folders"),
    "server quota": _row("server quota", "Say how much folders and users of a server may use"),
    "server gc": _row("server gc", "Delete what nothing on a server needs any more"),
    "server trash": _row("server trash", "List, give back and delete what `server gc` took", "server_gc"),
    "server ref": _row("server ref", "List where the refs of an artifact stood, and put one back"),
    "server reindex": _row("server reindex", "Make what was pushed to an older server searchable"),
    "server audit": _row("server audit", "List, or verify, who changed what on a server", "server_audit"),
    "server secret": _row("server secret", "Make anew the secret that signs hrefs"),
    "server backup": _row("server backup", "Copy all that a server keeps, while it runs"),
    "server restore": _row("server restore", "Make a server of a backup, in an empty directory", "server_backup"),
    "server verify": _row("server verify", "Check that all is there that a server's rows name", "server_check"),
    "server scrub": _row("server scrub", "Read and hash stored blobs, and set damaged ones aside", "server_check"),
    "server stats": _row("server stats", "Show how much a server holds, by folder"),
    "hook merge-driver": _row("hook merge-driver", "Merge aimdvc.lock by artifact, for Git"),
    "demo": _row("demo", "Run the main job on copies of real files"),
    "help": _row("help", "Explain a concept or a command"),
    "version": _row("version", "Print the versions of aimdvc and its libraries"),
    "completion": _row("completion", "Print the completion script for a shell", "version"),
}

FAMILIES = {
    "import": "Turn files that Git, Git LFS or DVC keep into artifacts.",
    "hook": "What Git's hooks run: `aimdvc hooks install` has Git call them.",
    "server": "Administer a server, on the machine that keeps it.",
}
"""The words that several commands begin with, and what those are for."""
