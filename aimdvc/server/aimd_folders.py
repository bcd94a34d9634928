"""AIMD's REST of folders: whose a key is, what lies where, making folders, and which artifacts there are."""

import json
from collections.abc import Mapping

from sqlalchemy import select

from aimdvc.server.aimd_ids import dashed
from aimdvc.server.aimd_nodes import ROOT, docs_of, own_root, reach_id
from aimdvc.server.audit import note
from aimdvc.server.bodies import JSON
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.rights import Rights, nodes_below, rights_on, rights_on_children, shared_nodes, visible_nodes
from aimdvc.server.routing import Call
from aimdvc.server.schema import nodes
from aimdvc.server.sharing import reach
from aimdvc.server.tree import MAX_DEPTH, REMOVED, add_node, chain_of, check_name, child, children_of, paths_of


def answer(message: object) -> Response:
    """Returns an answer in JSON: an object, or a bare string."""
    return Response(200, json.dumps(message).encode(), content_type=JSON)


def userinfo(call: Call) -> Response:
    """Whose the key is."""
    return answer({"preferred_username": call.caller.name})


def list_folders(call: Call) -> Response:
    """What lies in the caller's root; as pointers what others share with them."""
    caller = call.caller
    with call.site.database.read() as connection:
        root = child(connection, "", caller.name)
        listed = children_of(connection, root.id) if root is not None else []
        rights = rights_on_children(connection, caller, [root], listed) if root is not None else {}
        own = [node.id for node in listed if rights[node.id] >= Rights.VIEW]
        shared = [
            chain[-1].id
            for node in shared_nodes(connection, caller)
            if (chain := chain_of(connection, node)) and chain[0].owner != caller.id
            if rights_on(connection, caller, chain) >= Rights.VIEW
        ]
        return answer({"folders": docs_of(connection, own), "pointers": docs_of(connection, shared)})


def find_folder(call: Call) -> Response:
    """The bare id of the node at a path."""
    path = call.request.query.get("path", "")
    with call.site.database.read() as connection:
        if path.strip("/"):
            chain = reach(connection, call.caller, path, Rights.VIEW)
        else:
            chain = own_root(connection, call.caller, Rights.VIEW)
    return answer(dashed(chain[-1].id))


def show_folder(call: Call) -> Response:
    """What there is to say of a node."""
    with call.site.database.read() as connection:
        chain = reach_id(connection, call.caller, call.params["folder"], Rights.VIEW)
        return answer({"doc": docs_of(connection, [chain[-1].id])[0]})


def make_folder(call: Call) -> Response:
    """Makes a folder, in the caller's root where none is named. One that is there is as good as made."""
    metadata = call.json["metadata"]
    wish: Mapping[str, object] = metadata if isinstance(metadata, dict) else {}
    name, within = str(wish["name"]), wish.get("folder")
    with call.site.database.write("nodes") as connection:
        if within in (None, "", ROOT):
            chain = own_root(connection, call.caller, Rights.EDIT)
        else:
            chain = reach_id(connection, call.caller, within, Rights.EDIT)
        if chain[-1].kind == "artifact":
            raise HttpError(400, f"'{chain[-1].name}' is an artifact")
        there = child(connection, chain[-1].id, name)
        if there is not None and there.kind == "artifact":
            raise HttpError(400, f"artifact '{there.name}' already exists")
        if there is not None:
            return answer({"id": dashed(there.id)})
        check_name(name, "folder")
        if len(chain) >= MAX_DEPTH:
            raise HttpError(400, f"the path is deeper than {MAX_DEPTH} folders")
        made = add_node(connection, chain[-1].id, "folder", name, call.caller.id)
        path = "/".join([*(node.name for node in chain), name])
        note(call.site.database, connection, call.caller, "folder.make", path)
    return answer({"id": dashed(made)})


def list_repos(call: Call) -> Response:
    """The artifacts of the caller's root, those of others that they may see, or both: by path."""
    scope, caller = call.request.query.get("scope", "all"), call.caller
    if scope not in ("own", "shared", "all"):
        raise HttpError(400, "the scope is own, shared or all")
    query = select(nodes.c.id).where(nodes.c.kind == "artifact", nodes.c.id.not_in(nodes_below(REMOVED)))
    visible = visible_nodes(caller)
    with call.site.database.read() as connection:
        found = list(connection.scalars(query if visible is None else query.where(nodes.c.id.in_(visible))))
        paths = paths_of(connection, found)
        if scope != "all":
            mine = caller.name.casefold()
            is_own = {node: path.partition("/")[0].casefold() == mine for node, path in paths.items()}
            found = [node for node in found if is_own[node] == (scope == "own")]
        docs = docs_of(connection, found)
    for doc in docs:
        metadata = doc["metadata"]
        assert isinstance(metadata, dict)
        doc["path"] = "/" + paths[metadata["id"].replace("-", "")]
    return answer({"repos": sorted(docs, key=lambda doc: str(doc["path"]))})
