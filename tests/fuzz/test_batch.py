"""A fuzzer of answers to a batch, over a real port: each is understood, or refused with a reason."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimdvc.errors import AimdvcError, IntegrityError, RemoteError, UnsafeError
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Silent
from aimdvc.remote.credentials import Credentials, KeyFile
from aimdvc.remote.lfs import LfsRemote
from aimdvc.remote.session import Patience, Session
from aimdvc.store.blobs import BlobStore
from tests.unit.remote.hostile import Answer, Hostile, hostile

WANTED = [Pointer(Oid("a" * 64), 5), Pointer(Oid("b" * 64), 100_000)]


@pytest.fixture
def body() -> list[bytes]:
    return [b""]


@pytest.fixture
def server(body: list[bytes]) -> Iterator[Hostile]:
    with hostile(lambda seen: Answer(body=body[0]) if "batch" in seen.path else Answer(404)) as running:
        yield running


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
HREFS = st.sampled_from(["http://127.0.0.1:1/x", "file:///etc/passwd", "//x", "", "http://[", "https://u:p@h/"]) | ANY
ACTIONS = st.fixed_dictionaries({}, optional={"href": HREFS, "header": ANY, "expires_in": ANY}) | ANY
BLOBS = st.fixed_dictionaries(
    {},
    optional={
        "oid": st.sampled_from(["a" * 64, "b" * 64, "c" * 64, "../x"]) | ANY,
        "size": st.sampled_from([5, 100_000, -1, 2**63, "5", 5.0]) | ANY,
        "authenticated": ANY,
        "actions": st.dictionaries(st.sampled_from(["download", "upload", "verify", "aimd-pack"]), ACTIONS) | ANY,
        "error": st.fixed_dictionaries({}, optional={"code": ANY, "message": ANY}) | ANY,
    },
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "transfer": st.sampled_from(["basic", "aimd-pack", "tus"]) | ANY,
        "objects": st.lists(BLOBS | ANY, max_size=4) | ANY,
        "aimd_pack": ACTIONS,
        "hash_algo": ANY,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWERS | ANY)
def test_any_answer_to_a_batch_is_understood_or_refused(
    server: Hostile, body: list[bytes], tmp_path: Path, answer: object
) -> None:
    """Case C15."""
    body[0] = json.dumps(answer).encode()
    patience = Patience(1, 1, 0.0001)
    session = Session(Credentials(KeyFile(tmp_path / "keys.json", Disk()), {}, {"PATH": ""}), patience)
    with BlobStore(tmp_path / "store", Disk()) as store:
        try:
            with store.writer() as writer:
                LfsRemote(session, f"{server.url}/a.git").download(WANTED, writer, Silent())
        except AimdvcError as error:
            assert isinstance(error, (RemoteError, IntegrityError, UnsafeError))
            assert error.message.isprintable()
        else:
            raise AssertionError("none of the blobs was sent")
        finally:
            session.close()
        assert store.missing(pointer.oid for pointer in WANTED) == {pointer.oid for pointer in WANTED}
