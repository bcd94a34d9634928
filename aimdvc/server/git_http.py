"""Git smart HTTP: which service, which artifact, who may; the services themselves are in their own modules."""

from aimdvc.server.catalogue import Caller
from aimdvc.server.guard import HttpError, Request, Response
from aimdvc.server.receive_pack import Push, advertise_receive, receive_pack
from aimdvc.server.refs import has_abandoned, read_refs
from aimdvc.server.site import Site
from aimdvc.server.upload_pack import advertise_upload, upload_pack


def info_refs(site: Site, request: Request, caller: Caller, path: str) -> Response:
    """Answers `GET info/refs`: what there is to fetch, or to push onto. Makes nothing: a dry run ends here."""
    service = request.query.get("service")
    if service == "git-upload-pack":
        artifact = site.artifact(caller, path)
        return advertise_upload(read_refs(site.database, artifact.id))
    if service == "git-receive-pack":
        found = site.catalogue.find_writable(caller, path)
        return advertise_receive(read_refs(site.database, found.id) if found else {})
    raise HttpError(403, "only Git's smart protocol is spoken here")


def fetch(site: Site, request: Request, caller: Caller, path: str) -> Response:
    """Answers `POST git-upload-pack`."""
    _check_type(request, "application/x-git-upload-pack-request")
    artifact = site.artifact(caller, path)
    refs = read_refs(site.database, artifact.id)
    with site.storage.repository(artifact.id) as repository:
        may_reuse = not has_abandoned(site.database, artifact.id)
        return upload_pack(repository, refs, request.body, site.limits, may_reuse)


def push(site: Site, request: Request, caller: Caller, path: str) -> Response:
    """Answers `POST git-receive-pack`. Makes the artifact where it is not there."""
    _check_type(request, "application/x-git-receive-pack-request")
    artifact = site.catalogue.ensure(caller, path)
    with site.storage.repository(artifact.id) as repository:
        repository.join_packs()
        return receive_pack(Push(site.database, artifact.id, caller.id, site.limits), repository, request.body)


def _check_type(request: Request, wanted: str) -> None:
    if request.content_type != wanted:
        raise HttpError(415, f"expected {wanted}")
