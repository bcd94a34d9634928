"""Everything that a request handler works with, opened once in each process of the server."""

import importlib
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.fs.disk import Disk
from aimdvc.server.accounts import Accounts
from aimdvc.server.catalogue import Artifact, Catalogue, is_kept
from aimdvc.server.checksumming import Checksummer
from aimdvc.server.database import Database
from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.pieces import Pieces
from aimdvc.server.protection import Protections
from aimdvc.server.quotas import Quotas
from aimdvc.server.removal import Removals
from aimdvc.server.repositories import Repository
from aimdvc.server.rights import Caller
from aimdvc.server.sharing import Folders
from aimdvc.server.signing import Signer
from aimdvc.server.storage import LocalStorage, Storage
from aimdvc.server.turns import Turns


@dataclass(frozen=True, slots=True)
class Location:
    """Where a server keeps what: in `directory` whatever no URL is given for.

    `database` is a `postgresql://…`, `storage` an `s3://…`, which the database remembers.
    """

    directory: Path
    database: str | None = None
    storage: str | None = None


@dataclass(frozen=True)
class Site:
    """The open server: its database, its storage and its limits. Close it."""

    database: Database
    accounts: Accounts
    catalogue: Catalogue
    folders: Folders
    protections: Protections
    quotas: Quotas
    removals: Removals
    storage: Storage
    signer: Signer
    checksummer: Checksummer
    limits: Limits
    turns: Turns
    arriving: Pieces

    def artifact(self, caller: Caller, path: str) -> Artifact:
        """Returns the artifact at a URL's path. Raises HttpError (404) also where the caller may not see it."""
        artifact = self.catalogue.find(caller, path)
        if artifact is None:
            raise HttpError(404, "no such artifact")
        return artifact

    def repository(self, artifact: str) -> Repository:
        """Returns the open git packs of an artifact, for who waited for them: a purge may have come before.

        Close it. Raises HttpError (404).
        """
        if not is_kept(self.database, artifact):
            raise HttpError(404, "no such artifact")
        return self.storage.repository(artifact)

    def granted_artifact(self, granted: str, path: str) -> str:
        """Returns the id of the artifact at a signed href's path, which has to be the one that was signed."""
        artifact = self.catalogue.find_by_path(path)
        if artifact is None or artifact.id != granted:
            raise HttpError(404, "no such artifact")
        return artifact.id

    def close(self) -> None:
        """Closes database and storage, and ends what still works with them."""
        self.checksummer.close()
        self.storage.close()
        self.database.close()


def open_site(location: Location, limits: Limits | None = None, disk: Disk | None = None) -> Site:
    """Opens, or makes, what a server keeps. Open it after forking."""
    limits = limits or Limits()
    disk = disk or Disk()
    disk.make_directory(location.directory)
    database = Database(location.database or location.directory / "server.db")
    try:
        storage = _open_storage(location, database, disk)
    except BaseException:  # Whatever stopped it, an interrupt too, leaves no connection open.
        database.close()
        raise
    signer = Signer(database.secret, limits.href_seconds)
    return Site(
        database,
        Accounts(database),
        Catalogue(database),
        Folders(database),
        Protections(database),
        Quotas(database),
        Removals(database),
        storage,
        signer,
        Checksummer(database, storage.blobs),
        limits,
        Turns(limits),
        Pieces(),
    )


def _open_storage(location: Location, database: Database, disk: Disk) -> Storage:
    url = database.storage_url(location.storage)
    if url is None:
        return LocalStorage(location.directory, disk)
    try:
        # Loaded only here: botocore takes 20 MiB, and is an extra.
        module = importlib.import_module("aimdvc.server.bucket_storage")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"object storage needs '{error.name}', not installed", hint="run `pip install 'aimdvc[s3]'`"
        ) from error
    opened: Storage = module.open_bucket(url, database, location.directory, disk)
    return opened
