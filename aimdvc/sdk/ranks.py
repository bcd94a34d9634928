"""Which of several processes that train one model together this one is: only the first, rank 0, records a trial."""

import sys
from collections.abc import Mapping


def find_rank(environment: Mapping[str, str]) -> int:
    """Returns the rank of this process, 0 when it trains alone.

    It is that of `torch.distributed` where that was loaded and is in use, else RANK, as torchrun sets it, else
    LOCAL_RANK on the machine NODE_RANK, as Lightning sets them. SLURM's variables are not heeded: tasks of one job may
    as well be trials of their own.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    rank = _number(environment, "RANK")
    if rank is not None:
        return rank
    return max(_number(environment, "LOCAL_RANK") or 0, _number(environment, "NODE_RANK") or 0)


def _number(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable, "")
    return int(text) if text.isascii() and text.isdecimal() else None
