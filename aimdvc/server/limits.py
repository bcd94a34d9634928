"""How much one request may ask of the server. All sizes are bytes, and count what a body inflates to.

Plain data: tests make smaller ones.
"""

from dataclasses import dataclass, field

from aimdvc.git.packlimits import PackRatio
from aimdvc.model.frames import PACKED_LIMIT

_KIB = 1024
_MIB = 1024 * _KIB
_GIB = 1024 * _MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request; what goes over is refused and nothing of it is kept."""

    header_bytes: int = 32 * _KIB
    """One header's value. Granian itself accepts 500 KB."""
    json_bytes: int = 8 * _MIB
    """A JSON body."""
    batch_objects: int = 10_000
    """Objects in one LFS batch."""
    commands: int = 20_000
    """Refs in one push."""
    refs: int = 100_000
    """Refs of an artifact, its versions among them: every fetch and push reads them all, which takes a second then."""
    command_bytes: int = 16 * _MIB
    """All that comes before the pack in one push."""
    push_options: int = 100
    """Options of one push (`git push -o`)."""
    wants: int = 50_000
    """Lines in one request to upload-pack; a stock client sends at most a few hundred."""
    pack_bytes: int = 8 * _GIB
    """A git pack as it arrives."""
    git_object_bytes: int = 64 * _MIB
    """One inflated git object; aimdvc itself refuses files over 16 MiB in Git."""
    inflated_bytes: int = 16 * _GIB
    """All git objects of a pack together, inflated."""
    git_objects: int = 2_000_000
    """Git objects in one pack."""
    ratio: PackRatio = field(default_factory=PackRatio)
    """What a pack may cost in proportion to its size."""
    delta_depth: int = 100
    """The longest chain of deltas; stock Git makes 50 at most."""
    blob_bytes: int = 1024 * _GIB
    """One blob."""
    form_blob_bytes: int = 100 * _MIB
    """One object in a form of an AIMD client; larger ones come in parts."""
    part_bytes: int = 5 * _GIB
    """One of these parts."""
    parts: int = 10_000
    """Parts of one object."""
    aimd_pack_bytes: int = 1 * _GIB
    """One aimd-pack body."""
    packed_blob_bytes: int = PACKED_LIMIT
    """Blobs from this size on travel by themselves, not in an aimd-pack."""
    href_seconds: int = 300
    """How long a signed href lives."""
    running: int = 60
    """Requests that run at once in one process; it has 64 threads."""
    running_of_one: int = 30
    """Of them, requests of one user; all who have no key are one."""
    costly: int = 48
    """Uploads, downloads, packs, listings of objects and diffs that run at once."""
    costly_of_one: int = 24
    """Of those, requests of one user."""
    again_s: int = 3
    """Up to how many seconds later what was refused, since too much ran, is told to come again."""
    large_bytes: int = 16 * _KIB
    """A message in JSON from this size on waits for its turn (turns.py)."""
    large: int = 4
    """Such messages that are worked on at once in one process."""
    wrong_keys: int = 30
    """Wrong keys from one address within a minute; what comes then is looked up only if it was right before."""


CHUNK_BYTES = 128 * _KIB
"""What is read, and sent, at a time. All sizes take as much of the processor; and behind granian an answer
that its client is slow to take holds some eight of them (docs/decisions/0023-what-a-worker-holds.md)."""
