"""A file of a form, however the body comes in pieces, and whatever it holds; and forms that were made to take long."""

import time

import pytest

from aimdvc.server.forms import open_file
from aimdvc.server.guard import Body, HttpError, Request

HEAD = b'--b\r\nContent-Disposition: form-data; name="content"; filename="f"\r\n\r\n'
END = b"\r\n--b--\r\n"
OTHER = b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nnot this\r\n'


class Dripping:
    """Gives a few bytes at a time, as servers do when these come slowly."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = content
        self._size = size

    def read(self, size: int, /) -> bytes:
        piece, self._content = self._content[: min(size, self._size)], self._content[min(size, self._size) :]
        return piece


def form(body: bytes, size: int = 1 << 18, boundary: str = "b") -> Request:
    kind = f'multipart/form-data; charset=utf-8; boundary="{boundary}"'
    source = Body(Dripping(body, size), len(body), gzipped=False)
    return Request("POST", "/", {}, {}, "multipart/form-data", "", source, full_content_type=kind)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 18])
@pytest.mark.parametrize(
    "content", [b"", b"x", b"\r\n", b"\r\n--", b"\r\n--c", b"--b\r\n", b"\r\n-" * 30, bytes(range(256))]
)
def test_the_bytes_are_those_that_were_sent(content: bytes, size: int) -> None:
    for body in (HEAD + content + END, OTHER + HEAD + content + END, HEAD + content + b"\r\n" + OTHER[:-2] + END):
        file = open_file(form(body, size), "content", 1000)
        assert (file.filename, b"".join(file.chunks)) == ("f", content)


@pytest.mark.parametrize("cut", range(0, len(HEAD) + 4 + len(END) - 2, 5))
def test_a_form_that_breaks_off_is_no_form(cut: int) -> None:
    with pytest.raises(HttpError) as refused:
        b"".join(open_file(form((HEAD + b"1234" + END)[:cut]), "content", 1000).chunks)
    assert refused.value.status == 400


def test_no_form_takes_long() -> None:
    size = 8 << 20
    bodies = [HEAD + unit * (size // len(unit)) + END for unit in (b"\r", b"\r\n-", b"\r\n--", b"\r\n--c")]
    began = time.monotonic()
    for body in bodies:
        assert sum(map(len, open_file(form(body), "content", size).chunks)) > size - 9
    for body in (b"x" * size, b"--b\r\n" + b"A: b\r\n" * 100_000, b"--b\r\nA: " + b"x" * size, OTHER * 10_000):
        with pytest.raises(HttpError):
            open_file(form(body), "content", size)
    assert time.monotonic() - began < 5
