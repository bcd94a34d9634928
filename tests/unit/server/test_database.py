"""The server's database as a file."""

from pathlib import Path

from aimdvc.server.database import Database


def _modes(directory: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in directory.glob("server.db*")}


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    database = Database(path)
    secret = database.secret()
    assert _modes(tmp_path) == {0o600}
    database.close()
    path.chmod(0o644)
    database = Database(path)
    assert database.secret() == secret
    assert _modes(tmp_path) == {0o600}
    database.close()
