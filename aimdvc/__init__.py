"""Git-style versioning for artifacts: data sets, models, anything too big for a code repository.

The Python interface, loaded when it is first used: `import aimdvc` alone costs next to nothing.
"""

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aimdvc.sdk.artifact import Artifact as Artifact
    from aimdvc.sdk.artifacts import create_artifact as create_artifact
    from aimdvc.sdk.artifacts import grab_artifact as grab_artifact
    from aimdvc.sdk.artifacts import upload_artifact as upload_artifact
    from aimdvc.sdk.logins import login as login
    from aimdvc.sdk.logins import logout as logout
    from aimdvc.sdk.trial import Trial as Trial
    from aimdvc.sdk.trials import create_trial as create_trial
    from aimdvc.sdk.trials import load_trial as load_trial
    from aimdvc.sdk.trials import upload_trial as upload_trial

_HOMES = {
    "Artifact": "aimdvc.sdk.artifact",
    "Trial": "aimdvc.sdk.trial",
    "create_artifact": "aimdvc.sdk.artifacts",
    "create_trial": "aimdvc.sdk.trials",
    "grab_artifact": "aimdvc.sdk.artifacts",
    "load_trial": "aimdvc.sdk.trials",
    "login": "aimdvc.sdk.logins",
    "logout": "aimdvc.sdk.logins",
    "upload_artifact": "aimdvc.sdk.artifacts",
    "upload_trial": "aimdvc.sdk.trials",
}

__all__ = [
    "Artifact",
    "Trial",
    "create_artifact",
    "create_trial",
    "grab_artifact",
    "load_trial",
    "login",
    "logout",
    "upload_artifact",
    "upload_trial",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'aimdvc' has no attribute '{name}'")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
