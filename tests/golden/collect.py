"""What aimdvc says and writes, as texts to be compared: each is the same in every run."""

import inspect
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aimdvc import errors
from aimdvc.cli.output import kind_of
from aimdvc.git.commits import dump_commit
from aimdvc.model.attributes import AIMD_ATTRIBUTES, DEFAULT_ATTRIBUTES
from aimdvc.model.commits import CommitDraft, Signature
from aimdvc.model.frames import MAGIC, end_frame, frame_header
from aimdvc.model.lock import Pin, dump_lock
from aimdvc.model.metadata import Metadata, dump_metadata
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer, encode_pointer
from tests.shell import Shell

_NOW_S = 1_800_000_000
_SAMPLES: dict[str, object] = {
    "paths": ["a", "b c", "d", "e", "f", "g", "h"],
    "kinds": {"a": "both modified", "b c": "deleted by us", **dict.fromkeys(["d", "e", "f", "g", "h"], "both added")},
    "sides": {"a": ("v4", "v5"), "b": (None, "1234aaaa5678")},
    "candidates": ["1234aaaa", "1234bbbb"],
    "line": 3,
    "found": 9,
    "known": 1,
    "hint": None,
}
"""What stands for the arguments of errors that are no text; a text's stands for itself."""

_COMMANDS = """
init
add data
add lone.bin
commit -m first
remote add origin {root}/remote
push
status
alias set data@HEAD production
alias list data
log data
show data
ls
ls data
cat data:small.txt
diff data
commit -am second
diff data@v1 data@HEAD
checkout data@v1
checkout data@main
checkout
restore data/small.txt
reset data@v1
reset data@main
meta set data description Scenes
meta get data
track -n data
track *.txt -n data
untrack *.txt -n data
config
remote
fetch
pull
push
fsck
du
logout https://aimd.example.org
clone {root}/remote/data@v1 inner
get {root}/remote/data@v1 --out got
log nothing
checkout data@v9
cat data:nothing
push elsewhere
"""


def formats() -> dict[str, bytes]:
    """Returns an example of each format that is kept on disk or sent, by the name of its snapshot."""
    who = Signature("Ada Lovelace", "ada@example.org", _NOW_S, -5 * 3600)
    parents = (GitId("2" * 40), GitId("3" * 40))
    draft = CommitDraft(GitId("1" * 40), parents, who, who, "Subject\n\nBody\n\nAimd-Trial: 7\n")
    oid = Oid("ab" * 32)
    pack = MAGIC + frame_header(oid, 5) + b"hello" + end_frame(1)
    pins = {
        "scenes": Pin(GitId("1" * 40), "data/scenes", None),
        "net": Pin(GitId("2" * 40), "models/net.bin", "team/models/net"),
    }
    metadata = Metadata("Scenes", ("a", "b"), {"license": "CC0"}, "dataset", {"later": [1]})
    return {
        "pointer": encode_pointer(Pointer(oid, 12345)),
        "lock": dump_lock(pins),
        "commit": dump_commit(draft),
        "aimd-pack.hex": "\n".join(pack.hex(" ")[at : at + 96] for at in range(0, len(pack) * 3, 96)).encode() + b"\n",
        "metadata": dump_metadata(metadata),
        "attributes": DEFAULT_ATTRIBUTES,
        "aimd-attributes": AIMD_ATTRIBUTES,
    }


def error_texts() -> bytes:
    """Returns one line for each class of errors: its name, exit code, and what it says of sample arguments."""
    lines = []
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.AimdvcError):
            make: Callable[..., errors.AimdvcError] = kind
            made = make(*_arguments(kind))
            lines.append(f"{kind_of(made)} {made.exit_code}: {made.message}" + (f"; {made.hint}" if made.hint else ""))
    return "\n".join(lines).encode() + b"\n"


def _arguments(kind: type[errors.AimdvcError]) -> Iterator[object]:
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if parameter.default is inspect.Parameter.empty:
            yield _SAMPLES.get(name, name.upper())


def json_objects() -> dict[str, bytes]:
    """Returns the JSON objects of a day's commands, by command; each with the line that was typed."""
    found: dict[str, bytes] = {}
    with _same_everywhere() as root:
        shell = Shell(root / "work")
        shell.write("data/small.txt", "one\n")
        shell.write("data/large.bin", b"0123456789abcdef" * 8192)
        shell.write("lone.bin", b"alone")
        (root / "remote").mkdir()
        for line in _COMMANDS.strip().splitlines():
            if line == "diff data":
                shell.write("data/small.txt", "two\n")
                shell.write("data/new", "new\n")
                shell("add", "data")
            name, *arguments = line.format(root=root).split()
            at = root if name in ("clone", "get") else None
            value = shell(name, "--json", *arguments, code=-1, at=at).json
            text = json.dumps(value, indent=1, sort_keys=True).replace(str(root), "DIR")
            shown = line.format(root="DIR")
            found[f"{name}.txt"] = found.get(f"{name}.txt", b"") + f"$ aimdvc {shown} --json\n{text}\n".encode()
    return found


@contextmanager
def _same_everywhere() -> Iterator[Path]:
    """A directory, with a clock, a user and a home that are the same in every run."""
    author = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _USER.items()}
    environment, clock = dict(os.environ), time.time
    with tempfile.TemporaryDirectory() as directory:
        root = Path(os.path.realpath(directory))
        os.environ.update({**author, "HOME": str(root / "home"), "XDG_CONFIG_HOME": str(root / "home"), "TZ": "UTC"})
        time.tzset()
        time.time = lambda: float(_NOW_S)
        try:
            (root / "work").mkdir()
            yield root
        finally:
            time.time = clock
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()


_USER = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org"}


def snapshots() -> dict[str, bytes]:
    """Returns every snapshot by its path below tests/golden/snapshots."""
    found = {f"formats/{name}": content for name, content in formats().items()}
    found |= {f"json/{name}": content for name, content in json_objects().items()}
    return found | {"errors.txt": error_texts()}
