"""`aimdvc fsck --repair`, with its connections to the remotes."""

from aimdvc.cli.context import Cli
from aimdvc.cli.network import connector
from aimdvc.ops.fsck import Part
from aimdvc.ops.repair import Repaired, repair


def run_repair(cli: Cli, part: Part) -> Repaired:
    """Heals what can be healed, from any remote too."""
    with connector(cli) as connections:
        return repair(cli.workspace, connections, cli.progress, part)
