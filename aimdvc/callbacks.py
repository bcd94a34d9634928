"""`KerasCallback` and `LightningCallback`: a training is recorded in a trial. Loaded with their framework, if used."""

from aimdvc.sdk.callbacks import keras_callback, lightning_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aimdvc.sdk.callbacks import KerasHooks as KerasCallback
    from aimdvc.sdk.callbacks import LightningHooks as LightningCallback

__all__ = ["KerasCallback", "LightningCallback"]


def __getattr__(name: str) -> object:
    if name == "KerasCallback":
        return keras_callback()
    if name == "LightningCallback":
        return lightning_callback()
    raise AttributeError(f"module 'aimdvc.callbacks' has no attribute '{name}'")
