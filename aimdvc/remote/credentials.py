"""Keys and passwords: which secret may go to which origin, and nowhere else.

A key belongs to one origin (scheme, host, port). A URL that came with a repository never makes an origin trusted.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aimdvc.errors import ConfigSyntaxError, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.processes import find_program

_HELPER_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a secret, for HTTP Basic. Never printed."""

    user: str
    secret: str = field(repr=False)
    is_from_helper: bool = False


class KeyFile:
    """The keys of a user, by origin, in one file that only they can read."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def read(self) -> dict[str, str]:
        """Returns the keys by origin. Raises ConfigSyntaxError for a damaged file."""
        try:
            with mapped(self._path):
                text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        try:
            found = json.loads(text)
            return {str(origin): str(key) for origin, key in found.items()}
        except (ValueError, AttributeError) as error:
            raise ConfigSyntaxError(str(self._path), 1, "not a JSON object of keys by origin") from error

    def set(self, origin: str, key: str) -> None:
        """Keeps the key of an origin; mode 0600, durable, whole."""
        self._write(self.read() | {origin: key})

    def remove(self, origin: str) -> bool:
        """Forgets the key of an origin; returns whether there was one."""
        keys = self.read()
        if origin not in keys:
            return False
        del keys[origin]
        self._write(keys)
        return True

    def _write(self, keys: Mapping[str, str]) -> None:
        self._disk.make_directory(self._path.parent)
        content = json.dumps(keys, indent=1, sort_keys=True).encode() + b"\n"
        self._disk.replace_file(self._path, content, 0o600)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Finds the credential of an origin: given for it, stored for it, or from Git's credential helpers.

    `given` is (origin, key) of the environment or of a typed URL; `environment` is what helpers run in.
    """

    keys: KeyFile
    given: Mapping[str, str]
    environment: Mapping[str, str]
    hint: str = "run `aimdvc login URL`"

    def stored(self, origin: str) -> Credential | None:
        """Returns the credential to send at once, None when there is none."""
        key = self.given.get(origin) or self.keys.read().get(origin)
        return Credential("aimdvc", key) if key else None

    def ask_helper(self, origin: str) -> Credential | None:
        """Returns what `git credential fill` knows, without ever prompting."""
        answer = self._run("fill", origin, "")
        fields = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        if not fields.get("username") or not fields.get("password"):
            return None
        return Credential(fields["username"], fields["password"], is_from_helper=True)

    def tell_helper(self, origin: str, credential: Credential, is_good: bool) -> None:
        """Tells Git's helpers whether what they gave was accepted."""
        if credential.is_from_helper:
            known = f"username={credential.user}\npassword={credential.secret}\n"
            self._run("approve" if is_good else "reject", origin, known)

    def _run(self, action: str, origin: str, known: str) -> str:
        git = find_program("git", self.environment)
        if git is None:
            return ""
        parts = urlsplit(origin)
        port = {"https": ":443", "http": ":80"}[parts.scheme]
        request = f"protocol={parts.scheme}\nhost={parts.netloc.removesuffix(port)}\n{known}\n"
        quiet = {**self.environment, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
        try:
            done = subprocess.run(
                [git, "credential", action],
                input=request,
                capture_output=True,
                text=True,
                env=quiet,
                timeout=_HELPER_TIMEOUT_S,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError):
            return ""
        return done.stdout if done.returncode == 0 else ""


def check_key(key: str) -> str:
    """Returns a key without the white space around it. Raises UsageError for what can't be one."""
    key = key.strip()
    if not key or len(key) > 4096 or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError("the key is empty or holds characters that no key has", hint="paste it as it was printed")
    return key
