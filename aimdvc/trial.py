"""`Trial` under the name that AIMD scripts import it by; it lives in sdk/trial.py."""

from aimdvc.sdk.trial import Trial

__all__ = ["Trial"]
