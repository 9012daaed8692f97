"""The same work on a Dask cluster: a task a part of a collection, a task a fold of an evaluation.

Needs ``pip install stance[cluster]``, on this machine and on the workers, and a file system that
all of them share.
"""

import asyncio
import errno
import functools
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stance
from stance import storage
from stance.scoring import Calls, Recipe
from stance.text import InputError

_PATIENCE = 10  # seconds until a scheduler must have answered, and have a worker
_AHEAD = 2  # tasks submitted for each thread of the cluster: one at work, one waiting


@contextmanager
def workers(address: str, recipe: Recipe, manifest: Path) -> Iterator[Calls]:
    """The workers of a cluster, to make calls about parts (the first argument) side by side.

    Results come as they are done. ``manifest``: the file beside the parts, which every worker must
    see as it is here, or not see as long as it is not here. All paths must be absolute.

    The calls of a worker that dies are made again by others, until Dask holds the call itself for
    the culprit (its setting ``distributed.scheduler.allowed-failures``); a call that fails by
    itself is not made again. Raises :class:`~stance.text.InputError` where no scheduler or worker
    answers, or a worker holds another version or model or does not see the manifest;
    :class:`OSError` where workers died over a call or the scheduler is gone; and what a call does.
    """
    holdings = functools.partial(_holdings, recipe.model, manifest)
    with _connected(address, holdings) as client, _failures(address):
        yield functools.partial(_calls, client, holdings)


def _calls(
    client: Any,
    holdings: Callable[[], Mapping[str, str]],
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
) -> Iterator[Any]:
    from distributed import as_completed

    here = holdings()
    left = iter(arguments)
    running: dict[Any, Any] = {}
    done = as_completed()
    while True:
        # Workers come and go: what may be under way is counted anew each time.
        room = _AHEAD * max(1, sum(client.nthreads().values())) - len(running)
        for given in itertools.islice(left, max(0, room)):
            # pure=False: what another run of the same call has left behind is no result of this.
            call = (_call, holdings, here, function, *given)
            future = client.submit(*call, pure=False, retries=0)
            running[future] = given[0]
            done.add(future)
        if not running:
            return
        future = next(done)
        with _failures(str(running.pop(future).source)):
            result = future.result()
        yield result


def _call(
    holdings: Callable[[], Mapping[str, str]],
    here: Mapping[str, str],
    function: Callable[..., Any],
    *given: Any,
) -> Any:
    """What a worker does; it may have come after the others had been checked."""
    from distributed import get_worker

    _compare(get_worker().address, holdings(), here)
    return function(*given)


@contextmanager
def folds(address: str, shared: Sequence[object]) -> Iterator[None]:
    """Within the block joblib's work is done by the cluster.

    ``shared``: large objects that many tasks are given, these very objects; they are sent to the
    workers once. What a worker's task itself gives to joblib is the task's to keep there.

    Raises like :func:`workers`; every worker must hold the same versions as this machine.
    """
    import joblib

    with (
        _connected(address, _versions),
        _failures(address),
        joblib.parallel_config(backend="dask", scatter=list(shared)),
    ):
        yield


# --- the cluster ----------------------------------------------------------------------------------


@contextmanager
def _connected(address: str, holdings: Callable[[], Mapping[str, str]]) -> Iterator[Any]:
    """A client of the scheduler at ``address``, all of whose workers hold what this machine does.

    ``holdings`` says it: name → version or digest.
    """
    try:
        from distributed import Client
        from distributed.core import connect
    except ImportError as error:
        raise InputError(f"--scheduler needs {error.name}: pip install stance[cluster]") from error
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what fails is told in one line

    async def knock() -> None:
        # Client() waits for ever for a server of another kind, and fails with whatever it says.
        comm = await asyncio.wait_for(connect(address), _PATIENCE)
        comm.abort()

    try:
        asyncio.run(knock())
        client = Client(address, timeout=_PATIENCE)
    except Exception as error:
        raise InputError(
            f"{address}: no Dask scheduler answers ({str(error) or f'waited {_PATIENCE} s'}); "
            "expected an address such as tcp://host:8786, as dask scheduler prints it"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise InputError(
                f"{address}: the scheduler has no worker; start one with: dask worker {address}"
            ) from error
        here = holdings()
        for worker, there in sorted(client.run(holdings, on_error="return").items()):
            _compare(worker, there, here)
        yield client


def _holdings(model: Path | None, manifest: Path) -> dict[str, str]:
    """What decides about a part's bytes, and that the folder of the parts is one and the same."""
    file = model or storage.SHIPPED
    stat = file.stat() if file.is_file() else None
    state = (stat.st_mtime_ns, stat.st_size) if stat else None
    written = manifest.read_bytes() if manifest.is_file() else b""
    return {
        "stance": stance.__version__,
        "model": _digest(file, state),
        "manifest": hashlib.sha256(written).hexdigest()[:12] if written else "not there",
    }


def _versions() -> dict[str, str]:
    """What decides about an evaluation's figures."""
    from stance import evaluation

    return {"stance": stance.__version__, **evaluation.versions()}


@functools.lru_cache(maxsize=1)
def _digest(model: Path, state: object) -> str:
    return str(storage.verify(model)["sha256"])[:12]


def _compare(worker: str, there: Mapping[str, str] | Exception, here: Mapping[str, str]) -> None:
    expected = "expected the same stance, libraries, model and folders as here"
    if isinstance(there, Exception):
        raise InputError(f"worker {worker}: {there}; {expected}") from there
    for name, value in here.items():
        if there.get(name) != value:
            raise InputError(f"worker {worker}: {name} {there.get(name)}, here {value}; {expected}")


@contextmanager
def _failures(place: str) -> Iterator[None]:
    """What happened to the cluster as an :class:`OSError` about ``place``."""
    from distributed import CancelledError, KilledWorker

    try:
        yield
    except KilledWorker as error:
        deaths = error.allowed_failures + 1
        what = f"{deaths} workers died over it, the last was {error.last_worker.address}"
        raise OSError(errno.EIO, f"{what}; have they memory enough?", place) from error
    except CancelledError as error:
        raise OSError(errno.EIO, "the cluster dropped the work", place) from error
    except OSError as error:
        if error.errno is None:  # Dask's own, about the network
            raise OSError(errno.EIO, str(error), place) from error
        raise
