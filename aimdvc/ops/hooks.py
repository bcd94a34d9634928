"""`hooks`: Git's hooks of this repository run aimdvc, beside whatever they ran before; and Git merges the lock by it.

What is there is never lost: a hook is kept beside ours, which runs it first, and uninstalling puts it back. Each step
is one rename, so Git finds a whole hook at every moment: the old one, or one that runs the old one.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import Refused, UsageError
from aimdvc.fs.disk import Disk, current_umask
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers, temporary_name
from aimdvc.git.hookplace import HookPlace, find_hook_place
from aimdvc.git.mergedriver import DriverState, driver_state, register_driver, unregister_driver
from aimdvc.git.program import Git
from aimdvc.model.hooktexts import (
    KEPT,
    LEGACY,
    NAMES,
    Whose,
    chained_text,
    framework_of,
    plain_text,
    whose_text,
)

_OURS = (Whose.PLAIN, Whose.CHAINED, Whose.OLDER)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class HookState:
    """One hook: `state` is installed, chained, older, differs, disabled or not-installed; `beside`, what else runs."""

    name: str
    path: str
    state: str
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HooksState:
    """All hooks of a repository, as Git finds them. `hidden` are ours in the directory that core.hooksPath hides."""

    directory: str
    hooks_path: str | None
    scope: str | None
    is_outside: bool
    is_in_work_tree: bool
    hooks: tuple[HookState, ...]
    hidden: tuple[str, ...]
    merge_driver: DriverState


@dataclass(frozen=True, slots=True)
class HooksChanged:
    """What was done: the hooks that were written or taken away, whether the driver was, and how it is now."""

    changed: tuple[str, ...]
    is_driver_changed: bool
    now: HooksState


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where ours is, or would be, for one hook. `whose` is None where there is nothing."""

    name: str
    path: Path
    whose: Whose | None
    framework: str | None

    @property
    def kept(self) -> Path:
        return self.path.with_name(self.name + KEPT)

    @property
    def is_kept(self) -> bool:
        return os.path.lexists(self.kept)

    @property
    def is_ours(self) -> bool:
        return self.whose in _OURS


def read_hooks(git: Git) -> HooksState:
    """Returns how the hooks are. Raises UsageError outside of a work tree."""
    return _state(git, find_hook_place(git))


def install_hooks(git: Git, disk: Disk, is_forced: bool) -> HooksChanged:
    """Has Git's hooks run aimdvc, and the merge driver of aimdvc.lock registered. Safe to repeat.

    Writes outside of this repository, where a global core.hooksPath may lead, only with `is_forced`. Raises UsageError,
    or Refused where a hook could be lost; then nothing was written.
    """
    place = find_hook_place(git)
    if place.is_outside and not is_forced:
        _refuse_outside(place, "written", "install")
    slots = [_slot(place.directory, name) for name in NAMES]
    wanted = [(slot, _wanted(slot)) for slot in slots if slot.whose != Whose.DIFFERS]
    disk.make_directory(place.directory)
    remove_leftovers(place.directory, (".tmp-",))
    changed = []
    for slot, text in wanted:
        if slot.whose is None or _read(slot.path) != text or not os.access(slot.path, os.X_OK):
            if slot.whose is not None and not slot.is_ours:
                _keep(slot, disk)
            disk.replace_file(slot.path, text, 0o777 & ~current_umask())
            changed.append(slot.name)
    is_driver_changed = register_driver(git, place.common_dir, disk)
    return HooksChanged(tuple(changed), is_driver_changed, _state(git, place))


def uninstall_hooks(git: Git, disk: Disk, is_forced: bool) -> HooksChanged:
    """Puts back what was there before: hooks with their modes, settings, attributes. Safe to repeat.

    Also in the directory that core.hooksPath hides. Raises as `install_hooks`.
    """
    place = find_hook_place(git)
    slots = [_slot(place.directory, name) for name in NAMES]
    if place.is_outside and not is_forced and any(slot.is_ours or slot.is_kept for slot in slots):
        _refuse_outside(place, "taken away", "uninstall")
    if place.directory != place.own:
        slots += [_slot(place.own, name) for name in NAMES]
    changed = [slot.name for slot in slots if _put_back(slot, disk)]
    for directory in {place.directory, place.own}:
        if not place.is_outside or is_forced or directory == place.own:
            remove_leftovers(directory, (".tmp-",))
    is_driver_changed = unregister_driver(git, place.common_dir, disk)
    return HooksChanged(tuple(dict.fromkeys(changed)), is_driver_changed, _state(git, place))


def _refuse_outside(place: HookPlace, done: str, verb: str) -> None:
    raise UsageError(
        f"core.hooksPath ({place.scope}) is '{place.hooks_path}', outside of this repository: nothing was {done}",
        hint=f"run `aimdvc hooks {verb} --force` if all repositories that use it are meant,"
        f" or give this one hooks of its own: `git config core.hooksPath '{place.own}'`",
    )


def _slot(directory: Path, name: str) -> _Slot:
    path = directory / name
    framework = framework_of(_read(path))
    if framework is not None:
        # A framework makes its own hook anew whenever it is installed, and runs what lies here first: ours stays.
        path = directory / f"{name}{LEGACY}"
    whose = whose_text(name, _read(path)) if os.path.lexists(path) else None
    return _Slot(name, path, whose, framework)


def _wanted(slot: _Slot) -> bytes:
    """Returns the text for a hook. Raises UsageError, or Refused for what could not be kept."""
    if slot.path.is_dir():
        raise UsageError(f"'{slot.path}' is a directory, expected a hook", hint="move it away; nothing was written")
    if slot.whose == Whose.FRAMEWORK:
        raise UsageError(
            f"'{slot.path.name}' is another framework's, beside that of {slot.framework}: neither was touched",
            hint="uninstall one of the two, then run it again",
        )
    is_foreign = slot.whose == Whose.FOREIGN
    if is_foreign and slot.is_kept and not _is_same(slot.path, slot.kept):
        raise Refused(
            f"'{slot.kept}' is an earlier '{slot.path.name}' than the one there now; nothing was written",
            hint="move away the one that isn't needed, then run it again",
        )
    return chained_text(slot.name) if is_foreign or (slot.is_kept and slot.is_ours) else plain_text(slot.name)


def _keep(slot: _Slot, disk: Disk) -> None:
    """Copies a hook to where it is kept: Git runs it until ours takes its place."""
    if slot.path.is_symlink():
        temporary = slot.path.with_name(temporary_name(".tmp-"))
        with mapped(temporary):
            temporary.symlink_to(slot.path.readlink())
        disk.rename(temporary, slot.kept)
        disk.sync_directory(slot.kept.parent)
        return
    with mapped(slot.path), slot.path.open("rb") as source, disk.create_temp(slot.path.parent, ".") as temp:
        while chunk := source.read(_CHUNK):
            temp.write(chunk)
        disk.publish(temp, slot.kept, os.fstat(source.fileno()).st_mode & 0o7777)


def _put_back(slot: _Slot, disk: Disk) -> bool:
    """Takes ours away, and puts back what was kept; returns whether there was anything."""
    if slot.is_kept and (slot.is_ours or slot.whose is None):
        disk.rename(slot.kept, slot.path)
    elif slot.is_ours:
        disk.unlink(slot.path)
    elif slot.is_kept and _is_same(slot.path, slot.kept):
        disk.unlink(slot.kept)  # An installation was cut before ours took the place.
    else:
        return False
    disk.sync_directory(slot.path.parent)
    return True


def _state(git: Git, place: HookPlace) -> HooksState:
    slots = [_slot(place.directory, name) for name in NAMES]
    hidden = [_slot(place.own, name) for name in NAMES] if place.directory != place.own else []
    return HooksState(
        str(place.directory),
        place.hooks_path,
        place.scope,
        place.is_outside,
        place.is_in_work_tree,
        tuple(HookState(slot.name, str(slot.path), _state_of(slot), _beside(slot)) for slot in slots),
        tuple(slot.name for slot in hidden if slot.is_ours),
        driver_state(git, place.common_dir),
    )


def _state_of(slot: _Slot) -> str:
    if slot.whose is None or slot.whose in (Whose.FOREIGN, Whose.FRAMEWORK):
        return "not-installed"
    if not os.access(slot.path, os.X_OK):
        return "disabled"
    if slot.whose in (Whose.OLDER, Whose.DIFFERS):
        return str(slot.whose.value)
    return "chained" if slot.whose == Whose.CHAINED or slot.framework is not None else "installed"


def _beside(slot: _Slot) -> tuple[str, ...]:
    others = [slot.framework] if slot.framework is not None else []
    if slot.whose == Whose.FOREIGN:
        others.append(slot.path.name)
    elif slot.whose == Whose.CHAINED and slot.is_kept:
        others.append(slot.kept.name)
    return tuple(others)


def _read(path: Path) -> bytes:
    """Returns the beginning of a hook, longer than any of ours; b"" for what is no file."""
    if not path.is_file():
        return b""
    with mapped(path), path.open("rb") as source:
        return source.read(_CHUNK)


def _is_same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
