"""multipart/form-data, read as it comes: one file of a form, of which a chunk at a time is in memory.

A form ends with a mark of its own, so one that breaks off is noticed also where the body's length is not known.
https://www.rfc-editor.org/rfc/rfc7578
"""

from collections.abc import Iterator
from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from aimdvc.server.guard import Body, HttpError, Request

FORM = "multipart/form-data"
_FIELDS = 16
_HEADER_BYTES = 16 << 10
_AROUND_BYTES = 1 << 20
"""What may stand around the file in a form."""


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form: what its sender calls it, and its bytes, to be read once and to the end."""

    filename: str
    chunks: Iterator[bytes]


def open_file(request: Request, field: str, limit: int) -> FormFile:
    """Returns the file in a field of a form, of at most `limit` bytes. Others are passed over.

    Raises HttpError (400, 413), also while the chunks are read: then nothing of them is worth keeping.
    """
    request.body.limit(limit + _AROUND_BYTES)
    boundary = parse_options_header(request.full_content_type)[1].get("boundary", "")
    try:
        parser = PushMultipartParser(boundary, max_segment_count=_FIELDS, max_header_size=_HEADER_BYTES)
    except MultipartError as error:
        raise HttpError(400, "the form has no boundary") from error
    events = _events(parser, request.body)
    for event in events:
        if isinstance(event, MultipartSegment) and event.name == field:
            return FormFile(event.filename or "", _chunks(events, field, limit))
    raise HttpError(400, f"the form has no field '{field}'")


def _events(parser: PushMultipartParser, body: Body) -> Iterator[object]:
    try:
        for chunk in body.iter_chunks():
            yield from parser.parse(chunk)
        parser.close()
    except MultipartError as error:
        raise HttpError(400, "the form can't be read, or broke off") from error


def _chunks(events: Iterator[object], field: str, limit: int) -> Iterator[bytes]:
    size = 0
    for event in events:
        if event is None:
            break
        assert isinstance(event, (bytes, bytearray))
        size += len(event)
        if size > limit:
            raise HttpError(413, f"the object is too large for a form, expected at most {limit} bytes")
        yield bytes(event)
    for event in events:
        if isinstance(event, MultipartSegment) and event.name == field:
            raise HttpError(400, f"the form has the field '{field}' twice")
