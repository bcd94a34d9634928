"""What kind of content a file begins with, as far as artifacts are made of it. Pure: looks at the first bytes."""

import re

HEAD_BYTES = 256
"""As much of a file's begin as `content_kind` looks at."""

IMAGE = "image"
"""Not an artifact's by itself; many of them at once are."""

_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"ARROW1", "Arrow"),
    (b"FEA1", "Feather"),
    (b"GGUF", "GGUF"),
    (b"Obj\x01", "Avro"),
    (b"\x89PNG\r\n\x1a\n", IMAGE),
    (b"\xff\xd8\xff", IMAGE),
    (b"GIF8", IMAGE),
    (b"II*\0", IMAGE),
    (b"MM\0*", IMAGE),
)
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin")
_TORCH = re.compile(rb"[^/]+/(data\.pkl|version|byteorder|\.format_version)")
_SAFETENSORS_LIMIT = 100_000_000
"""The longest header that the format's own reader takes, in bytes."""


def content_kind(head: bytes, name: str) -> str | None:
    """Returns what a file is that begins with these bytes, IMAGE for an image, None for anything else.

    `name` decides where the bytes can't: ONNX has no mark of its own, and old pickles share theirs.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[128:132] == b"DICM":
        return IMAGE
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite"
    if head[:4] == b"PK\x03\x04":
        return _zip_kind(head)
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _SAFETENSORS_LIMIT:
        return "safetensors"
    lower = name.lower()
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle" if head[2:3] == b"\x95" or lower.endswith(_PICKLES) else None
    return "ONNX" if lower.endswith(".onnx") and head[:1] == b"\x08" else None


def _zip_kind(head: bytes) -> str | None:
    """Returns what an archive is by its first member: `np.savez` and `torch.save` write zip files."""
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first.endswith(b".npy"):
        return "NumPy"
    return "PyTorch" if _TORCH.fullmatch(first) else None
