"""What a route is, and which one a request means. The table itself is routes.py.

A path is a template: `{artifact}` and `{path}` stand for one or more names, `{oid}` for 64 hex digits, any other word
in braces for one. The checks at the door, the OpenAPI document and the tests of who may do what are made from routes.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from aimdvc.server.bodies import Body
from aimdvc.server.guard import HttpError, Request, Response
from aimdvc.server.rights import Caller
from aimdvc.server.site import Site

Door = Literal["shared", "user", "admin", "signed"]
"""Who comes in: who may see the artifact, with a key or not; users; administrators; who has an href."""

_PARTS = {"artifact": "[^/]+(?:/[^/]+)*?", "path": "[^/]+(?:/[^/]+)*", "oid": "[0-9a-f]{64}"}
_ONE = "[^/]{1,200}"
_MAX_PATH = 4096


class Call(NamedTuple):
    """One request as its handler gets it: checked at the door. `params` are the parts of the path, `json` the body."""

    site: Site
    request: Request
    caller: Caller
    params: Mapping[str, str]
    json: Mapping[str, object] = MappingProxyType({})

    @property
    def artifact(self) -> str:
        """The path of the artifact that was asked for, as it was typed."""
        return self.params["artifact"].removesuffix(".git")


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class AimdErrors:
    """How AIMD's clients are told what is wrong: in words that they know, as text.

    `status` and `text` stand for whatever is not there, or not theirs to see.
    """

    status: int = 404
    text: str = "not found"

    def told(self, status: int, message: str) -> tuple[int, str]:
        """Returns the status and the text for a refusal."""
        if status == 401:
            # They know a key that is not taken by how this begins and ends, the line's end included.
            return 400, "api key of this request not found\n"
        return (self.status, self.text) if status == 404 else (status, message)


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked: `door` says who, `scope` what their key must pass on at least.

    `body` is None for none; `query` is what may stand in the query, by name with its JSON Schema; `answers` are the
    statuses of success with what they mean. `is_costly` says that it may take long, or much. `errors` is how refusals
    are told where that is not as everywhere.
    """

    method: str
    path: str
    summary: str
    door: Door
    handler: Handler
    scope: str = "read"
    body: Body | None = None
    query: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "Done"})
    is_costly: bool = False
    errors: AimdErrors | None = None

    @property
    def params(self) -> list[str]:
        """The names of the parts of its path."""
        return re.findall(r"\{([a-z_]+)\}", self.path)


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_path: dict[str, list[Route]] = {}
        for route in routes:
            self._by_path.setdefault(route.path, []).append(route)
        patterns = [(_literal(path), re.compile(_pattern(path)), path) for path in self._by_path]
        # By the first name, where the template has one: what begins otherwise need not be looked at.
        roots = {_root(path) for path in self._by_path} - {""}
        self._patterns = {root: [one for one in patterns if _root(one[2]) in (root, "")] for root in (*roots, "")}

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Returns the route and the parts of its path, None where there is nothing. Raises HttpError (405, 400)."""
        if len(path) > _MAX_PATH:
            return None
        for literal, pattern, template in self._patterns.get(_root(path), self._patterns[""]):
            # Most templates are told apart by this alone, at a tenth of the price.
            match = pattern.fullmatch(path) if literal in path else None
            if match is None:
                continue
            routes = self._by_path[template]
            route = next((route for route in routes if route.method == method), None)
            if route is None:
                allowed = ", ".join(route.method for route in routes)
                raise HttpError(405, "this method is not for here", {"Allow": allowed})
            if "/." in path and any(name in (".", "..") for name in path.split("/")):
                raise HttpError(400, "the path has '.' or '..' in it")
            return route, match.groupdict()
        return None


def _root(path: str) -> str:
    """Returns the first name of a path, "" of a template that takes any there."""
    root = path.split("/", 2)[1] if path.startswith("/") else ""
    return "" if root.startswith("{") else root


def _literal(template: str) -> str:
    """Returns the longest part of a template that stands in each of its paths as it is."""
    return max(re.split(r"\{[a-z_]+\}", template), key=len)


def _pattern(template: str) -> str:
    """Returns the regular expression of a template."""
    parts = re.split(r"\{([a-z_]+)\}", template)
    made = [
        re.escape(part) if at % 2 == 0 else f"(?P<{part}>{_PARTS.get(part, _ONE)})" for at, part in enumerate(parts)
    ]
    return "".join(made)
