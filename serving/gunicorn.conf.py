# ruff: noqa: N999 - gunicorn looks for this name
"""gunicorn's configuration of the front door: its stock threaded worker, in two preloaded processes.

Start it with `gunicorn --config serving/gunicorn.conf.py serving.wsgi:app`; options of the command line win. A public
address needs nginx in front (docker/nginx/nginx.conf): it holds slow clients, and the rates and sizes of requests.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
from typing import Any, Final

# Prometheus' files of this run. Set before the application imports prometheus_client, and kept over reloads.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="braingranary-serving-")

# Searches run in the threads of requests: more threads of Polars' own would only wait for cores. It is used first after
# the fork: its threads would not survive one.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 2
# Few compute, most wait: room for `downloads_max`, `uploads_max` and everybody else.
threads = 64
preload_app = True
timeout = 60
# What a download in flight has when its worker is stopped or replaced; a longer one is resumed by its reader.
graceful_timeout = 300
keepalive = 15
max_requests = 200_000
max_requests_jitter = 50_000
limit_request_fields = 64
forwarded_allow_ips = ""  # the application itself decides which proxies it believes
logger_class = "serving.http.logs.ServerLogger"
accesslog = None  # the application logs its requests itself, as JSON with their ids
control_socket_disable = True

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_RETURNED_FROM_BYTES: Final = 1024 * 1024


def post_worker_init(worker: Any) -> None:
    """Open connections and start the detecting processes: neither survives a fork."""
    from serving.http import metrics  # noqa: PLC0415 - reads the folder set above

    # Freed blocks from this size on go back to the system, whether mapped or at the end of an arena. By itself glibc
    # raises the bounds to 32 and 64 MB once it has seen large blocks, and what was read of uploads would stay here.
    with contextlib.suppress(AttributeError):  # another C library has no such switches
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _RETURNED_FROM_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _RETURNED_FROM_BYTES)
    metrics.tell_build()
    worker.app.wsgi().extensions["granary"].serve()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Give the connections back."""
    worker.app.wsgi().extensions["granary"].close()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Forget what an ended worker had in flight; its counts stay."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - reads the folder set above

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Remove the files of this run."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
