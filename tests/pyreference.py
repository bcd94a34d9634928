"""Makes docs/python-reference.md from the docstrings: `python -m tests.pyreference > docs/python-reference.md`."""

import inspect
import sys
from collections.abc import Iterator

import aimdvc
from aimdvc.sdk.comparing import Difference
from aimdvc.sdk.objects import ArtifactObject
from aimdvc.sdk.params import Params
from aimdvc.sdk.versions import Version

HEAD = """# Python reference

Made from the docstrings by `python -m tests.pyreference`. What it is for, with examples: [python.md](python.md).
All of it is in the package itself: `import aimdvc`. Errors are those of [errors.md](errors.md), in `aimdvc.errors`,
beside Python's own where they are named.
"""
VALUES = (ArtifactObject, Difference, Version, Params)
"""What methods return, beside the public names."""


def reference() -> str:
    """Returns the page."""
    found = {name: getattr(aimdvc, name) for name in aimdvc.__all__}
    functions = [value for value in found.values() if inspect.isfunction(value)]
    classes = [value for value in found.values() if inspect.isclass(value)]
    parts = [HEAD, "## Functions\n"]
    parts += [part for function in functions for part in _function(function, "### ", "aimdvc.")]
    for kind in (*classes, *VALUES):
        parts += _class(kind)
    return "\n".join(parts)


def _function(function: object, heading: str, prefix: str) -> Iterator[str]:
    assert callable(function)
    name = getattr(function, "__name__", "")
    yield f"{heading}`{prefix}{name}`\n"
    yield f"```python\n{_signature(name, function)}\n```\n"
    yield f"{inspect.getdoc(function)}\n"


def _signature(name: str, function: object) -> str:
    assert callable(function)
    signature = inspect.signature(function)
    plain = [
        parameter.replace(annotation=_named(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    lines = [f"    {parameter}," if parameter.kind != inspect.Parameter.KEYWORD_ONLY else "" for parameter in plain]
    keyword = [f"    {parameter}," for parameter in plain if parameter.kind == inspect.Parameter.KEYWORD_ONLY]
    body = [line for line in lines if line] + (["    *,", *keyword] if keyword else [])
    result = _named(signature.return_annotation)
    end = f" -> {result}" if result is not inspect.Signature.empty else ""
    text = f"{name}({', '.join(line.strip().rstrip(',') for line in body)}){end}"
    return text if len(text) <= 100 else "\n".join([f"{name}(", *body, f"){end}"])


class _Name(str):
    """An annotation as it is written in the code: shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _named(annotation: object) -> object:
    if annotation is inspect.Parameter.empty or annotation is None:
        return annotation
    if isinstance(annotation, type) and annotation.__module__ != "builtins" and "[" not in str(annotation):
        return _Name(annotation.__name__)
    if isinstance(annotation, str):
        return _Name(annotation)
    return annotation if isinstance(annotation, type) else _Name(str(annotation).replace("collections.abc.", ""))


def _class(kind: type) -> Iterator[str]:
    yield f"## `{kind.__name__}`\n"
    yield f"{inspect.getdoc(kind)}\n"
    members = [(name, value) for name, value in vars(kind).items() if not name.startswith("_")]
    properties = [(name, value) for name, value in members if isinstance(value, property)]
    if properties:
        yield "| attribute | what it is |\n|---|---|"
        for name, value in properties:
            text = " ".join((inspect.getdoc(value) or "").split()).replace("|", "\\|")
            yield f"| `{name}` | {text} |"
        yield ""
    for _, value in members:
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if inspect.isfunction(function):
            yield from _function(function, "### ", f"{kind.__name__}.")


if __name__ == "__main__":
    sys.stdout.write(reference())
