"""What kind of file system a directory lies on."""

import errno
import os
from pathlib import Path

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "fuse.sshfs", "9p", "ceph", "glusterfs", "afs"})


def is_network_filesystem(directory: Path) -> bool:
    """Returns whether a directory lies on a network file system, as the mount table says; False where there is none."""
    return filesystem_type(directory) in _NETWORK


def filesystem_type(directory: Path) -> str:
    """Returns the type of the file system that holds a directory, or "" when the system doesn't tell."""
    table = Path("/proc/self/mounts")
    if not table.exists():
        return ""
    place = str(directory.resolve())
    found, kind = "", ""
    for line in table.read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = place == point or point == "/" or place.startswith(point + "/")
        if inside and len(point) >= len(found):
            found, kind = point, fields[2]
    return kind


def can_rename(source: Path | str, target: Path | str) -> bool:
    """Returns whether a file can be renamed from one directory into another: one file system, under one mount.

    A directory that is mounted elsewhere too (a container's volume) has the same device number, and still can't.
    """
    name = f"no-such-file-{os.urandom(6).hex()}"
    try:
        os.rename(os.path.join(source, name), os.path.join(target, name))
    except OSError as error:
        # The system compares the mounts before it looks for the file (fs/namei.c, do_renameat2).
        return os.path.isdir(source) and error.errno != errno.EXDEV
    raise AssertionError("a file of a random name was there")
