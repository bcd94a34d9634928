"""Which key an object gets: the rule of the AIMD SDK, and what no key may be."""

import os
from urllib.parse import unquote, urlsplit

from aimdvc.errors import UnsafePath
from aimdvc.model.entries import path_text
from aimdvc.model.paths import check_entry_path
from aimdvc.sdk.arguments import optional_text


def object_key(base_name: str, key: str | None) -> str:
    """Returns the key of an object whose own name is `base_name`. Raises UnsafePath for what no key may be.

    Without a key it is that name; one leading `/` is cut; a key that ends in `/` is where it goes by that name.
    """
    wanted = (optional_text("key", key) or "").removeprefix("/")
    if not wanted or wanted.endswith("/"):
        wanted += base_name
    try:
        # What comes as bytes of no UTF-8 in a name has its own form in text, also where a surrogate was typed.
        return check_entry_path(path_text(os.fsencode(wanted)))
    except UnicodeEncodeError as error:
        raise UnsafePath(ascii(wanted), "is no text that UTF-8 can hold") from error


def base_name_of(uri: str) -> str:
    """Returns the last part of a URI's path, without its query; "" for a URI without a path."""
    return unquote(urlsplit(uri).path.rstrip("/").rpartition("/")[2])
