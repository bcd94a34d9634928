"""Reads and edits files in Git's config syntax, for aimdvc.lock and `.aimdvc/config`.

No includes, no conditionals: these files may come from anyone. Editing keeps comments and the order of what it doesn't
touch. Syntax: git-config(1), section "Syntax"; judged by `git config -f`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aimdvc.errors import ConfigSyntaxError

_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\\n]|\\.)*)")?\s*\]')
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}


@dataclass(slots=True)
class _Line:
    text: str
    section: tuple[str, str | None] | None
    key: str | None = None
    value: str = ""
    is_header: bool = False


@dataclass(slots=True)
class ConfigFile:
    """A parsed file. Section names and keys are without case; subsections are exact."""

    source: str
    lines: list[_Line] = field(default_factory=list)

    def get(self, section: str, subsection: str | None, key: str) -> str | None:
        """Returns the last value of a key, or None."""
        values = self.get_all(section, subsection, key)
        return values[-1] if values else None

    def get_all(self, section: str, subsection: str | None, key: str) -> list[str]:
        """Returns every value of a key, in order."""
        wanted = (section.lower(), subsection)
        return [line.value for line in self.lines if line.section == wanted and line.key == key.lower()]

    def keys(self, section: str, subsection: str | None) -> list[str]:
        """Returns the keys of a section, in order, repeated ones too."""
        wanted = (section.lower(), subsection)
        return [line.key for line in self.lines if line.section == wanted and line.key is not None]

    def sections(self) -> Iterator[tuple[str, str | None]]:
        """Yields every section header, in order, repeated ones too."""
        for line in self.lines:
            if line.is_header and line.section is not None:
                yield line.section

    def subsections(self, section: str) -> list[str]:
        """Returns the subsections of a section, each once, in order."""
        found = (sub for name, sub in self.sections() if name == section.lower() and sub is not None)
        return list(dict.fromkeys(found))

    def set(self, section: str, subsection: str | None, key: str, value: str) -> None:
        """Makes a key have this one value: where it stood, else at the end of its section, made if need be."""
        wanted = (section.lower(), subsection)
        text = f"\t{key} = {quote(value)}\n"
        found = [i for i, line in enumerate(self.lines) if line.section == wanted and line.key == key.lower()]
        if found:
            self.lines[found[-1]] = _Line(text, wanted, key.lower(), value)
            for index in reversed(found[:-1]):
                del self.lines[index]
            return
        last = max((i for i, line in enumerate(self.lines) if line.section == wanted), default=-1)
        if last < 0:
            if self.lines and not self.lines[-1].text.endswith("\n"):
                self.lines[-1].text += "\n"
            self.lines.append(_Line(f"{section_header(section, subsection)}\n", wanted, is_header=True))
            last = len(self.lines) - 1
        while last > 0 and self.lines[last].key is None and not self.lines[last].is_header:
            last -= 1
        if not self.lines[last].text.endswith("\n"):
            self.lines[last].text += "\n"
        self.lines.insert(last + 1, _Line(text, wanted, key.lower(), value))

    def unset(self, section: str, subsection: str | None, key: str) -> None:
        """Removes every value of a key."""
        wanted = (section.lower(), subsection)
        self.lines = [line for line in self.lines if line.section != wanted or line.key != key.lower()]

    def remove_section(self, section: str, subsection: str | None) -> None:
        """Removes a section with all in it."""
        wanted = (section.lower(), subsection)
        self.lines = [line for line in self.lines if line.section != wanted]

    def dump(self) -> bytes:
        """Returns the file's bytes; parsed and not edited, the same as before, byte order mark aside."""
        return "".join(line.text for line in self.lines).encode("utf-8", "surrogateescape")


def parse(text: bytes, source: str, conflict_hint: str = "keep one of the two sides of the conflict") -> ConfigFile:
    """Returns the parsed file. Raises ConfigSyntaxError with the line; a merge's marks have `conflict_hint`."""
    decoded = text.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    config = ConfigFile(source)
    section: tuple[str, str | None] | None = None
    raw_lines = re.findall(r"[^\n]*\n|[^\n]+", decoded)
    number = 0
    while number < len(raw_lines):
        first = number
        line = raw_lines[number]
        while _continues(line) and number + 1 < len(raw_lines):
            number += 1
            line += raw_lines[number]
        number += 1
        body = line.strip()
        if not body or body[0] in "#;":
            config.lines.append(_Line(line, section))
            continue
        if body.startswith(("<<<<<<<", "|||||||", "=======", ">>>>>>>")):
            error = ConfigSyntaxError(source, first + 1, "a merge conflict is not settled")
            error.hint = conflict_hint
            raise error
        is_header = body.startswith("[")
        rest = body
        if is_header:
            match = _SECTION.match(body)
            if match is None:
                raise ConfigSyntaxError(source, first + 1, f"bad section '{body[:60]}'")
            section = _section_name(match)
            rest = body[match.end() :].strip()
            if not rest or rest[0] in "#;":
                config.lines.append(_Line(line, section, is_header=True))
                continue
            config.lines.append(_Line(section_header(*section) + "\n", section, is_header=True))
        if section is None:
            raise ConfigSyntaxError(source, first + 1, "a key before any section")
        key, value = _parse_entry(rest, source, first + 1)
        config.lines.append(_Line(line if not is_header else f"\t{rest}\n", section, key, value))
    return config


def quote(value: str) -> str:
    """Returns a value as it is written. A carriage return can't be written; callers refuse it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    needs = value != value.strip() or any(c in value for c in '#;"\\\n\t') or any(ord(c) < 32 for c in value)
    return f'"{escaped}"' if needs else value


def section_header(section: str, subsection: str | None) -> str:
    """Returns the header of a section."""
    if subsection is None:
        return f"[{section}]"
    escaped = subsection.replace("\\", "\\\\").replace('"', '\\"')
    return f'[{section} "{escaped}"]'


def _section_name(match: re.Match[str]) -> tuple[str, str | None]:
    name, quoted = match[1], match[2]
    if quoted is not None:
        return name.lower(), re.sub(r"\\(.)", r"\1", quoted)
    head, dot, tail = name.partition(".")
    return head.lower(), tail.lower() if dot else None


def _continues(line: str) -> bool:
    body = line.rstrip("\r\n")
    backslashes = len(body) - len(body.rstrip("\\"))
    return backslashes % 2 == 1 and line.endswith("\n") and not body.lstrip().startswith(("#", ";"))


def _parse_entry(text: str, source: str, number: int) -> tuple[str, str]:
    match = _KEY.match(text)
    if match is None:
        raise ConfigSyntaxError(source, number, f"bad key '{text[:60]}'")
    rest = text[match.end() :].lstrip(" \t")
    if not rest or rest[0] in "#;":
        return match[0].lower(), "true"
    if not rest.startswith("="):
        raise ConfigSyntaxError(source, number, f"expected '=' after '{match[0]}'")
    return match[0].lower(), _parse_value(rest[1:].strip(" \t\r"), source, number)


def _parse_value(text: str, source: str, number: int) -> str:
    out: list[str] = []
    kept = 0
    is_quoted = False
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "\\":
            if text[position : position + 1] in ("\n", "\r"):
                position += 2 if text[position : position + 2] == "\r\n" else 1
                continue
            escape = text[position : position + 1]
            if escape not in _ESCAPES:
                raise ConfigSyntaxError(source, number, f"bad escape '\\{escape}'")
            out.append(_ESCAPES[escape])
            kept = len(out)
            position += 1
        elif char == '"':
            is_quoted = not is_quoted
            kept = len(out)
        elif char in "#;" and not is_quoted:
            break
        else:
            out.append(char)
            if is_quoted or char not in " \t\r":
                kept = len(out)
    if is_quoted:
        raise ConfigSyntaxError(source, number, "a quote is not closed")
    return "".join(out[:kept])
