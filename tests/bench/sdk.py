"""The Python classes: what importing costs, adding 20,000 files beside `aimdvc add`, one MiB out of a large object."""

import re
import sys
from collections.abc import Mapping

import requests

from tests.bench import data
from tests.bench.cases import Bench
from tests.bench.measure import Figure, best, hash_tree, run, timed

_ADD = """\
import sys, aimdvc
artifact = aimdvc.create_artifact("files", "dataset")
artifact.add_dir(sys.argv[1])
"""
_UPLOAD = """\
import sys, aimdvc
artifact = aimdvc.create_artifact("large", "dataset")
artifact.add_file(sys.argv[1], "large.bin")
artifact.upload(folder_path="/admin")
"""
_OPEN = """\
import aimdvc
artifact = aimdvc.grab_artifact(artifact_ref="/admin/large:v1")
with artifact.open("large.bin") as file:
    file.seek(1 << 30)
    assert len(file.read(1 << 20)) == 1 << 20
"""
_SENT = re.compile(r"^aimdvc_sent_bytes_total (\d+)$", re.MULTILINE)


def sdk(bench: Bench) -> None:
    """Measures all of it."""
    _imports(bench)
    _adds(bench)
    _opens(bench)


def _imports(bench: Bench) -> None:
    bare, _ = best(10, lambda: run([sys.executable, "-c", "pass"], bench.scratch))
    bench.report.add(Figure("import aimdvc", "bare Python", bare))
    # What is imported by itself brings nothing yet; a class brings all that it works with.
    for program, goal in (("import aimdvc", bare + 0.06), ("from aimdvc import Artifact", None)):
        seconds, memory = best(10, lambda text=program: run([sys.executable, "-c", text], bench.scratch))  # type: ignore[misc]
        bench.report.add(Figure("import aimdvc", program, seconds, memory, goal))


def _adds(bench: Bench) -> None:
    work = "add 20k files of 4 KiB"
    place = bench.workspace("cli")
    data.many(place / "data", 20_000)
    bench.report.add(Figure(work, "hash", timed(lambda: hash_tree(place / "data"))))
    bench.aimdvc(work, place, "add", "data")
    seconds, memory = _python(bench, {}, _ADD, str(place / "data"))
    goal = bench.report.seconds(work, "aimdvc")
    bench.report.add(Figure(work, "Artifact.add_dir", seconds, memory, goal))


def _opens(bench: Bench) -> None:
    large = bench.scratch / "large.bin"
    data.one(large, 2 << 30)
    with bench.server("sdk") as (url, key):
        server = {"AIMDVC_HOST": url, "AIMDVC_API_KEY": key}
        seconds, memory = _python(bench, server, _UPLOAD, str(large))
        bench.report.add(Figure("upload of 2 GiB", "Artifact.upload", seconds, memory))
        before = _sent(url, key)
        seconds, memory = _python(bench, {**server, "AIMDVC_HOME": str(bench.scratch / "elsewhere")}, _OPEN)
        bench.report.add(Figure("1 MiB out of 2 GiB", "Artifact.open", seconds, memory))
        bench.report.add(
            Figure(
                "1 MiB out of 2 GiB: MiB that moved", "Artifact.open", (_sent(url, key) - before) / data.MIB, None, 3.0
            )
        )


def _python(bench: Bench, more: Mapping[str, str], program: str, *arguments: str) -> tuple[float, float]:
    """Runs a program outside of any workspace."""
    environment = {**bench.environment, "AIMDVC_HOME": str(bench.scratch / "sdk-home"), **more}
    return run([sys.executable, "-c", program, *arguments], bench.scratch, environment)


def _sent(url: str, key: str) -> int:
    """Returns how many bytes of answers a server has sent."""
    answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=30)
    found = _SENT.search(answer.text)
    assert found is not None, answer.text
    return int(found[1])
