"""What kind of file system a directory lies on."""

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
