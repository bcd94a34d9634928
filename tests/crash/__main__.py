"""Prints how many durable steps each verb takes in its scenario: at each of them the tests cut it (docs/safety.md).

Run it by `python -m tests.crash`. The numbers differ by one or two from run to run: names are hashes.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.crash.deeds import DEEDS
from tests.crash.scenarios import ACT, Fault, Scene
from tests.crash.serving import Served
from tests.crash.test_cut_http import HttpScene

_AUTHOR = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def counts() -> Iterator[tuple[str, str, int]]:
    """Yields each verb, where its remote is, and its steps."""
    for verb in ACT:
        with tempfile.TemporaryDirectory() as directory:
            scene, fault = Scene(Path(directory), verb), Fault()
            scene.run(fault)
            yield verb, "a folder", len(fault.steps)
    for verb in ("push", "pull"):
        with tempfile.TemporaryDirectory() as directory:
            http, fault, served = HttpScene(Path(directory), verb), Fault(), Fault()
            http.reset()
            with http.serving(served) as server:
                http.run(server, fault)
            yield verb, "a server", len(fault.steps)
            if verb == "push":
                yield verb, "the server itself", len(served.steps)


def server_counts() -> Iterator[tuple[str, str, int]]:
    """Yields what a server does, and how many durable system calls that takes."""
    with tempfile.TemporaryDirectory() as directory:
        served = Served(Path(directory) / "srv")
        try:
            for number, (what, deed) in enumerate(DEEDS.items()):
                deed.prepare(served.client, f"a{number}")
                with served.traced("kill") as trace:
                    deed.act(served.client, f"a{number}")
                yield what, "a server's system calls", len(trace.points)
        finally:
            served.stop()


def main() -> None:
    """Prints the rows of the table in docs/safety.md."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update({**_AUTHOR, "HOME": home, "XDG_CONFIG_HOME": home})
        for verb, where, steps in (*counts(), *server_counts()):
            print(f"| {verb} | {where} | {steps} |")


if __name__ == "__main__":
    main()
