"""Which kind of content a file begins with."""

import io
import json
import pickle
import zipfile

import pytest

from aimdvc.model.contentkinds import HEAD_BYTES, IMAGE, content_kind


def archive(member: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        files.writestr(member, b"1")
    return made.getvalue()


HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SAMPLES = {
    "safetensors": len(HEADER).to_bytes(8, "little") + HEADER + bytes(4),
    "Parquet": b"PAR1" + bytes(20),
    "NumPy": b"\x93NUMPY\x01\x00",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(20),
    "Arrow": b"ARROW1\0\0",
    "GGUF": b"GGUF\x03\0\0\0",
    "pickle": pickle.dumps([1], protocol=4),
    "PyTorch": archive("model/data.pkl"),
    IMAGE: b"\x89PNG\r\n\x1a\n" + bytes(20),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_kind_is_told_by_what_a_file_begins_with(kind: str) -> None:
    assert content_kind(SAMPLES[kind][:HEAD_BYTES], "any") == kind


def test_a_name_decides_only_where_the_bytes_can_not() -> None:
    assert content_kind(archive("arr_0.npy")[:HEAD_BYTES], "x") == "NumPy"
    assert content_kind(pickle.dumps([1], protocol=2), "x.pkl") == "pickle"
    assert content_kind(b"\x08\x07\x12", "net.onnx") == "ONNX"
    for head, name in ((b"text", "x.pkl"), (b"text", "x.onnx"), (b"", "x.npy"), (archive("a.txt"), "x.zip")):
        assert content_kind(head[:HEAD_BYTES], name) is None
    assert content_kind(b'{"a": 1, "b": {}}', "x.json") is None
