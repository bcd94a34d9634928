"""Makes docs/cli-reference.md from the commands' own help: `python -m tests.reference > docs/cli-reference.md`."""

import inspect
import re

import click

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS

ENVIRONMENT = {
    "AIMDVC_AUTHOR": "Who commits, as `Name <mail>`, where Git's settings (`user.name`, `user.email`) don't say.",
    "AIMDVC_HOST": "The http(s) URL of the server that AIMDVC_API_KEY is for; it goes to no other.",
    "AIMDVC_API_KEY": "The key for AIMDVC_HOST, or for the URL given to `clone` or `get`; goes before a stored one.",
    "AIMDVC_TIMEOUT": "How many seconds to wait for the next byte of an answer; else 120.",
    "AIMDVC_DATABASE": "The URL of the PostgreSQL of `serve` and `server`; no list of processes shows it.",
    "AIMDVC_STORAGE": "The URL of the bucket of `serve`, once: the database remembers it.",
    "REQUESTS_CA_BUNDLE": "Whose certificates are believed, a file or a directory; else those that `requests` has.",
    "XDG_CONFIG_HOME": "Where `aimdvc/keys.json`, written by `login`, lies; else `~/.config`.",
}
MEMBERS = {
    "init": ("workspace store is_new",),
    "status": ("artifacts missing code_lock",),
    "diff": ("artifacts", "old new artifacts"),
    "check": ("is_good findings", "is_good findings artifacts"),
    "commit": ("commits",),
    "run": ("exit_code inputs code commits unchanged",),
    "log": ("artifact versions",),
    "show": ("artifact version diff", "artifact version"),
    "lineage": ("artifact commit direction versions edges unknown not_asked is_whole",),
    "outdated": ("artifacts",),
    "upgrade": ("artifacts",),
    "why": ("artifact version commit commits refs is_on_disk",),
    "blame": ("artifact entries",),
    "ls": ("artifacts", "artifact entries"),
    "cat": ("path size content_base64",),
    "checkout": ("artifacts missing unpinned", "artifacts"),
    "branch": ("artifacts", "artifact branches"),
    "tag": ("artifact tags",),
    "reflog": ("artifact moves",),
    "alias": ("artifact aliases",),
    "track": ("artifacts", "artifact rules"),
    "meta": ("artifact metadata", "artifact KEY"),
    "remote": ("remotes",),
    "ls-remote": ("url refs",),
    "hook merge-driver": ("is_clean choices",),
    "server user": ("users",),
    "server group": ("groups",),
    "server key": ("keys", "key user scope"),
    "server folder": ("nodes", "path", "removed", "purged is_applied"),
    "server share": ("path shares",),
    "server protect": ("path protections",),
    "server quota": ("quotas",),
    "server gc": ("run is_applied removed artifacts unowned unowned_size failed busy", "keepers"),
    "server trash": ("runs", "blobs gone", "freed"),
    "server ref": ("path moves", "ref old new"),
    "server reindex": ("artifacts", "versions"),
    "server audit": ("entries", "entries head"),
    "server secret": ("action",),
    "server backup": ("artifacts packs blobs size damage",),
    "server restore": ("artifacts packs blobs size damage",),
    "server verify": ("is_whole artifacts refs objects blobs size entries damage",),
    "server scrub": ("blobs size is_complete damage",),
    "server stats": ("stats stored",),
    "login": ("origin user",),
    "logout": ("origin removed",),
    "fsck": ("is_whole checked",),
    "du": ("artifacts on_disk spare trash",),
    "prune": ("pruned", "evicted"),
    "trash": ("batches", "batches size put_back"),
    "maintenance": ("joined",),
    "config": ("settings",),
    "hooks": ("hooks", "changed is_driver_changed hooks"),
    "serve": ("url admin_key",),
    "demo": ("files bytes steps identical",),
    "hook pre-commit": ("findings files",),
    "hook pre-merge-commit": ("findings files",),
    "hook large-files": ("files",),
    "hook prepare-commit-msg": ("lines",),
    "hook pre-push": ("findings failed",),
    "hook post-checkout": ("workspaces",),
    "hook post-merge": ("workspaces",),
    "hook post-rewrite": ("workspaces",),
    "help": ("topic topics text",),
    "version": ("aimdvc python platform click dulwich requests",),
    "completion": ("shell script",),
}
"""What the JSON object of a command has at the top, one text for each form; of all other commands `artifacts`."""


def members(command: str) -> tuple[str, ...]:
    """Returns the forms of a command's JSON object: names with blanks between."""
    return MEMBERS.get(command, ("artifacts",))


def reference() -> str:
    """Returns the text of the reference."""
    parts = [
        "# Commands",
        "",
        "Made from `aimdvc COMMAND --help` by `python -m tests.reference > docs/cli-reference.md`;",
        "a test keeps it current.",
        "",
        "Every command takes `-C DIR` (run as if started in DIR), `--json` (print one JSON object) and `--help`.",
        "Exit codes and errors: [errors.md](errors.md). Selectors: `NAME`, `NAME@REV`, `NAME@REV:PATH`; REV is a",
        "version (`v3`), an alias, a branch or a commit (4 hex digits or more), then `~N` or `^`; `main@{1}` is where",
        "a branch or an alias stood before its last move, `HEAD@{1}` where HEAD did.",
        "",
        "With `--json` an error is an object, too: see [errors.md](errors.md). `JSON` below names the members of a",
        "command's object; artifacts, versions, entries and so on are lists of objects with names of their own.",
        "",
        "| variable | what it says |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items()),
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`{name}`](#aimdvc-{name.replace(' ', '-')}) | {row.help} |" for name, row in COMMANDS.items()),
        "",
    ]
    context = click.Context(aimdvc, info_name="aimdvc")
    for name in COMMANDS:
        command = aimdvc.get_command(context, name)
        assert command is not None
        parts += _section(name, command, context)
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(name: str, command: click.Command, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "")
    prose, _, example = text.partition("\b\n")
    lines = [f"## aimdvc {name}", "", f"    aimdvc {name} {usage}", "", *_wrapped(prose), ""]
    options = [_option(param, context) for param in command.params if isinstance(param, click.Option)]
    lines += [*[line for line in options if line], ""]
    code = [line[2:] for line in example.splitlines() if line.startswith("  ")]
    forms = ["`" + form.replace(" ", "`, `") + "`" for form in members(name)]
    return [*lines, f"JSON: {'; or '.join(forms)}.", "", "```sh", *code, "```", ""]


def _wrapped(prose: str) -> list[str]:
    return re.sub(r"\n{3,}", "\n\n", prose).strip().splitlines()


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    if record is None or option.name in ("directory", "as_json"):
        return ""
    return f"* `{record[0]}`: {record[1]}"


if __name__ == "__main__":
    print(reference(), end="")
