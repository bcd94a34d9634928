"""Which of many files are worth being joined into one: for blob packs and git packs alike. Pure."""

from collections.abc import Iterable


def worth_joining(files: Iterable[tuple[int, str]], at_least: int, limit: int) -> list[str]:
    """Returns the names of the smallest of these (size in bytes, name), none when they are fewer than `at_least`.

    One that is larger than all smaller ones together is left, once half of `at_least` were chosen: so each byte is
    copied a few times at most, as in Git's geometric repacking. No more than about `limit` bytes at a time.
    """
    chosen: list[str] = []
    total = 0
    for size, name in sorted(files):
        if len(chosen) >= max(2, at_least // 2) and (size > total or total + size > limit):
            break
        if size > limit // 2:
            break
        chosen.append(name)
        total += size
    return chosen if len(chosen) >= max(2, at_least // 2) else []
