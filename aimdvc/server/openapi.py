"""The OpenAPI document, made from the table of routes (https://spec.openapis.org/oas/v3.1.0)."""

import json
from collections.abc import Iterable

from aimdvc.server.routing import Route
from aimdvc.version import __version__

_KEYS = {
    "basic": {"type": "http", "scheme": "basic", "description": "The key as password, with any user name"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "apikey": {"type": "apiKey", "in": "query", "name": "apikey", "description": "As old AIMD clients send it"},
}
_PATTERNS: dict[str, dict[str, object]] = {"oid": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}
_ERROR = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}, "request_id": {"type": "string"}},
}


def document(routes: Iterable[Route]) -> dict[str, object]:
    """Returns the document of all routes."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "AIMD server", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"securitySchemes": _KEYS, "schemas": {"Error": _ERROR}},
    }


def _operation(route: Route) -> dict[str, object]:
    params: list[dict[str, object]] = [
        {"name": name, "in": "path", "required": True, "schema": _PATTERNS.get(name, {"type": "string"})}
        for name in route.params
    ]
    params += [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in route.query.items()]
    made: dict[str, object] = {
        "operationId": ("aimd_" if route.errors is not None else "") + route.handler.__name__,
        "summary": route.summary,
        "parameters": params,
        "responses": {
            **{str(status): {"description": text} for status, text in route.answers.items()},
            "default": _failure(route),
        },
        "security": _security(route),
        "x-scope": route.scope,
    }
    if route.body is not None:
        schema = json.loads(route.body.schema) if route.body.schema is not None else {}
        made["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in route.body.media_types},
        }
    return made


def _failure(route: Route) -> dict[str, object]:
    if route.errors is not None:
        return {"description": "What is wrong", "content": {"text/plain": {"schema": {"type": "string"}}}}
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": "What is wrong, and the request's id", "content": {"application/json": {"schema": schema}}}


def _security(route: Route) -> list[dict[str, list[str]]]:
    """The ways to come in; an empty one says that no key may be needed, none at all that the href is the permission."""
    if route.door == "signed":
        return []
    keys: list[dict[str, list[str]]] = [{name: []} for name in _KEYS]
    return [*keys, {}] if route.door == "shared" and route.scope == "read" else keys
