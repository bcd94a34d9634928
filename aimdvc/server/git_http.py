"""Git smart HTTP: which service, which artifact, who may; the services themselves are in their own modules."""

from aimdvc.server.guard import HttpError, Response
from aimdvc.server.landing import Push
from aimdvc.server.receive_pack import advertise_receive, receive_pack
from aimdvc.server.refs import has_abandoned, read_refs
from aimdvc.server.routing import Call
from aimdvc.server.upload_pack import advertise_upload, upload_pack


def info_refs(call: Call) -> Response:
    """Answers `GET info/refs`: what there is to fetch, or to push onto. Makes nothing: a dry run ends here."""
    site, service = call.site, call.request.query.get("service")
    if service == "git-upload-pack":
        artifact = site.artifact(call.caller, call.artifact)
        return advertise_upload(read_refs(site.database, artifact.id))
    if service == "git-receive-pack":
        found = site.catalogue.find_writable(call.caller, call.artifact)
        return advertise_receive(read_refs(site.database, found.id) if found else {})
    raise HttpError(403, "only Git's smart protocol is spoken here")


def fetch(call: Call) -> Response:
    """Answers `POST git-upload-pack`."""
    site = call.site
    artifact = site.artifact(call.caller, call.artifact)
    refs = read_refs(site.database, artifact.id)
    with site.storage.repository(artifact.id) as repository:
        may_reuse = not has_abandoned(site.database, artifact.id)
        return upload_pack(repository, refs, call.request.body, site.limits, may_reuse)


def push(call: Call) -> Response:
    """Answers `POST git-receive-pack`. Makes the artifact where it is not there."""
    site = call.site
    artifact = site.catalogue.ensure(call.caller, call.artifact)
    with (
        site.database.using_packs(artifact.id) as still_held,
        site.repository(artifact.id) as repository,
    ):
        repository.finish_dropping()
        repository.join_packs()
        pushed = Push(site.database, artifact.id, call.caller, site.limits, still_held)
        return receive_pack(pushed, repository, call.request.body)
