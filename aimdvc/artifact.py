"""The class `Artifact`, where clients of the AIMD SDK look for it."""

from aimdvc.sdk.artifact import Artifact

__all__ = ["Artifact"]
