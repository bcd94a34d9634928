"""`aimdvc run`."""

import click

from aimdvc.cli.child import run_child
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError
from aimdvc.ops.making import Recorded, prepare, record

_STDERR = 2


@command("run", takes_paths=True)
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME[@REV]",
    shell_complete=complete_selector,
    help="A version that the command reads; what is checked out, without REV (can be repeated).",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME=PATH",
    help="An artifact that it makes, new or not, and where (can be repeated).",
)
@click.option("-m", "--message", help="The message of the versions; else the command.")
def run_command(cli: Cli, inputs: tuple[str, ...], outputs: tuple[str, ...], message: str | None) -> int:
    """Run a command, and make versions of its outputs

    What comes after `--` is run as it is, in any language, with its own input and output. When it has succeeded, what
    lies at the paths of its outputs is committed, each to its artifact; the versions say which versions were read, the
    commit of the code and whether its files were changed, and the command line: give no secrets as arguments.
    `aimdvc lineage` shows it. An output that is as it was gets no new version.

    Exits with the command's own code, 128+n where signal n ended it; after a failure nothing is committed. With
    `--json` what it prints goes to stderr.

    \b
    Example:
      aimdvc run -i images@v3 -o sorted=data/sorted.csv -- sort -o data/sorted.csv data/images/labels.csv
    """
    arguments = cli.paths
    if not arguments:
        raise UsageError("no command was given", hint="write it after `--`: `aimdvc run -- COMMAND`")
    workspace = cli.workspace
    chosen = [cli.selector(text, "a whole version is meant: leave the path out") for text in inputs]
    prepared = prepare(workspace, cli.here, [(name, one.revision) for name, one in chosen], outputs)
    for note in prepared.notes:
        cli.out.note(note)
    code = run_child(arguments, cli.here, _STDERR if cli.as_json else None)
    if code:
        cli.out.note(f"the command ended with {code}: nothing was committed")
        recorded = Recorded([], [])
    else:
        recorded = record(workspace, prepared, arguments, message, cli.progress)
    # Its stdout is the command's.
    for made in recorded.committed:
        cli.out.note(f"{made.artifact} {made.version} {made.commit[:12]}: {made.subject}")
    for name in recorded.unchanged:
        cli.out.note(f"{name} is as it was: no new version")
    told = {"exit_code": code, "inputs": prepared.inputs, "code": prepared.code, "commits": recorded.committed}
    cli.out.result({**told, "unchanged": recorded.unchanged}, [])
    return code
