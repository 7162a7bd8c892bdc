"""Daft distributes the shards: over the processes of this machine by its native runner, over a cluster by Ray."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mezzotint.curation.stage import Resources
from mezzotint.errors import InputError, MezzotintError, MissingDependencyError
from mezzotint.runtime.memory import keep_freed_blocks

# Nothing is reported to anybody, and the only bar is ours; Daft reads these when it is imported.
os.environ |= {"DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "true", "DAFT_PROGRESS_BAR": "0"}

try:
    import daft
except ImportError as cause:
    raise MissingDependencyError("curation runs on Daft: pip install -e '.[curation]'") from cause


class _Task:
    """A function over pickled items, for another process. What a user can cause comes back, to be raised there.

    After that a process does no more: Daft must be heard to the end, and is so at once.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        keep_freed_blocks()
        self._function = function
        self._error: MezzotintError | None = None

    def __call__(self, item: bytes) -> bytes:
        if self._error is None:
            try:
                return pickle.dumps(self._function(pickle.loads(item)))
            except MezzotintError as error:
                self._error = error
        return pickle.dumps(self._error)


def use_cluster(address: str) -> None:
    """From now on, what this process distributes runs on a Ray cluster: host:port, or "local" for one started here.

    Its machines must see the same files under the same paths. What a worker was doing that died is done again, by Ray.

    Raises MissingDependencyError where Ray is not installed, InputError where no cluster answers.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray  # large, and needed on clusters alone
    except ImportError as cause:
        raise MissingDependencyError("clusters are reached by Ray: pip install -e '.[cluster]'") from cause
    try:
        ray.init(address, include_dashboard=False if address == "local" else None, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"no Ray cluster answers at {address!r}: {str(error).splitlines()[0]}") from error
    daft.set_runner_ray(noop_if_initialized=True)


def distribute(
    function: Callable[[Any], Any], items: Iterable[Any], *, workers: int, resources: Resources
) -> Iterator[Any]:
    """`function` of each item, as they get done, in `workers` processes. Both must be picklable.

    Raises whatever error of this program's tree the function raises.
    """
    pickled = [pickle.dumps(item) for item in items]
    if not pickled:
        return
    workers = min(workers, len(pickled))
    gpus = min(resources.gpus, _gpus_here()) if resources.gpus else 0
    task = daft.cls(_Task, gpus=gpus, use_process=True, max_concurrency=workers)(function)
    frame = daft.from_pydict({"item": pickled}).into_batches(1).select(task(daft.col("item")).alias("result"))
    failure = None
    with _workers_deaf_to_interrupts():
        for row in frame.iter_rows(results_buffer_size=workers):
            result = pickle.loads(row["result"])
            if isinstance(result, MezzotintError):
                failure = failure or result
            else:
                yield result
    if failure is not None:
        raise failure


@contextmanager
def _workers_deaf_to_interrupts() -> Iterator[None]:
    """Threads and processes that start in the block do not get SIGINT; one thread from before does, for all of us.

    Daft waits for ever for a worker that a Ctrl-C ended while it started.
    """
    done = threading.Event()
    threading.Thread(target=done.wait, daemon=True).start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        done.set()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _gpus_here() -> int:
    import torch  # seconds, which a stage without a network need not wait

    return torch.cuda.device_count()
