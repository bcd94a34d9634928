"""What `diff --code` prints: lines for a terminal, and Markdown for the comment of a pull request.

Names in the Markdown may come from anyone: nothing in one is markup, a mention or a link.
"""

from collections.abc import Iterator

from aimdvc.cli.output import plural, shown_path
from aimdvc.model.counts import Counts
from aimdvc.model.sizes import size_text
from aimdvc.ops.codediff import ArtifactDiff, CodeDiff, FileChange

_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}
_PLAIN = "/- "
FETCH = "its history isn't here: `aimdvc diff --code … --fetch` brings it"


def plain_lines(found: CodeDiff) -> Iterator[str]:
    """Yields the differences as lines."""
    if not found.artifacts:
        yield "No artifact is pinned differently"
    for one in found.artifacts:
        counts = FETCH if one.lacking else f"{_counts(one)}, {_change(one)}"
        yield f"{one.artifact}: {_versions(one)}" + ("" if one.kind == "relocated" else f": {counts}")
        yield from (f"  {line}" for line in one.summary)
        for file in one.largest:
            yield f"  {_LETTERS[file.kind]} {shown_path(file.path)}  {_sizes(file)}"
        if _total(one) > len(one.largest):
            yield f"  … and {_total(one) - len(one.largest):,} more"


def markdown_lines(found: CodeDiff) -> Iterator[str]:
    """Yields the differences as GitHub-flavoured Markdown, which GitLab takes as well."""
    new = found.new[:12] if found.new is not None else "aimdvc.lock"
    yield f"### Artifacts: {found.old[:12]} → {new}"
    yield ""
    if not found.artifacts:
        yield "No artifact is pinned differently."
        return
    yield "| artifact | version | files | size |"
    yield "|---|---|---|---|"
    for one in found.artifacts:
        counts = ("history not fetched", "") if one.lacking else (_counts(one), _change(one))
        yield f"| {code(one.artifact)} | {_versions(one, True)} | {counts[0]} | {counts[1]} |"
    for one in found.artifacts:
        if one.largest or one.summary:
            yield ""
            yield from _details(one)


def _details(one: ArtifactDiff) -> Iterator[str]:
    yield f"<details><summary>{code(one.artifact)}: {_versions(one, True)}</summary>"
    yield ""
    for line in one.summary:
        yield f"* {code(line)}"
    if one.summary:
        yield ""
    yield "| change | file | size |"
    yield "|---|---|---|"
    for file in one.largest:
        old = f"{code(file.old_path)} → " if file.old_path is not None else ""
        yield f"| {file.kind} | {old}{code(file.path)} | {_sizes(file)} |"
    if _total(one) > len(one.largest):
        yield ""
        yield f"… and {plural(_total(one) - len(one.largest), 'smaller change')}"
    yield ""
    yield "</details>"


def code(name: str) -> str:
    """Returns a name as inline code of Markdown in which no character is markup.

    As references, since a backslash does not quote within code, nor `|` within a table's; CommonMark takes none of them
    for structure, and GitHub looks for no mentions within code.
    """
    shown = "".join(char if char.isalnum() or char in _PLAIN else f"&#{ord(char)};" for char in shown_path(name))
    return f"<code>{shown}</code>"


def _versions(one: ArtifactDiff, is_markdown: bool = False) -> str:
    named = [path for path in (one.old_path, one.new_path) if path is not None]
    paths = [code(path) if is_markdown else shown_path(path) for path in named]
    if one.kind == "added":
        return f"added at {one.new} ({paths[0]})"
    if one.kind == "removed":
        return f"removed, was {one.old}"
    moved = f", {paths[0]} → {paths[1]}" if one.old_path != one.new_path else ""
    return f"{one.old} → {one.new}{moved}" if one.kind == "moved" else f"{one.new}{moved or ', another source'}"


def _counts(one: ArtifactDiff) -> str:
    counts = Counts(one.added, one.removed, one.modified)
    if not one.renamed:
        return counts.text
    renamed = f"{one.renamed:,} renamed"
    return f"{counts.text}, {renamed}" if any(counts) else renamed


def _total(one: ArtifactDiff) -> int:
    return one.added + one.removed + one.modified + one.renamed


def _change(one: ArtifactDiff) -> str:
    return ("−" if one.size_change < 0 else "+") + size_text(abs(one.size_change))


def _sizes(file: FileChange) -> str:
    old = size_text(file.old_size) if file.old_size is not None else ""
    new = size_text(file.new_size) if file.new_size is not None else ""
    return f"{old} → {new}" if old and new and old != new else new or old
