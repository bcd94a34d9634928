"""The secret that signs hrefs, made anew: what was given before ends at once, in all processes of the server.

Processes look at the database again when they last did so a second ago (signing.py). Hrefs that lead straight into a
bucket are signed by the bucket's own keys, and don't end.
"""

import secrets
import time
from collections.abc import Callable

from aimdvc.server.audit import note
from aimdvc.server.database import Database
from aimdvc.server.rights import Caller
from aimdvc.server.rowcopy import set_mark
from aimdvc.server.signing import HELD_S


def rotate_secret(database: Database, by: Caller, wait: Callable[[float], None] = time.sleep) -> None:
    """Makes the secret anew. When this returns no process takes what was signed before; it takes a second.

    What is being sent by then goes on. Safe to repeat; cut while it waits, it is done all the same.
    """
    with database.write("settings") as connection:
        # By it backups tell this server from another; it was made of the first secret.
        set_mark(connection, "identity", database.identity(connection))
        set_mark(connection, "secret", secrets.token_bytes(32))
        note(database, connection, by, "secret.rotate", "")
    wait(HELD_S)
