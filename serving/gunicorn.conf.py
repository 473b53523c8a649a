# ruff: noqa: N999 - gunicorn looks for this name
"""How gunicorn runs the front door: threads in a few preloaded processes, connections opened after the fork.

`gunicorn --config serving/gunicorn.conf.py serving.wsgi:app`; every value can be given on the command line instead, and
docs/runbook-serving.md says what to do with it. Signals to the first process: TERM ends it after the requests in
flight; HUP starts fresh workers and lets the old ones finish, with the code that was loaded at the start; USR2 then
TERM to the old process replaces the code as well, without closing the door.
"""

from __future__ import annotations

import gc
import resource
import signal
import sys
from typing import Any

from serving import run_folder

bind = "127.0.0.1:8000"
worker_class = "serving.worker.PatientWorker"
workers = 2
# Few compute, most wait for a client to take his bytes: room for `downloads_max` and `uploads_max`, and for others.
threads = 64
worker_connections = 4_000
backlog = 2_048
preload_app = True
# A download is one long answer: only a worker that stopped beating is ended, not one that streams.
timeout = 60
# What a download in flight has when its worker is stopped or replaced; a longer one is resumed by its reader.
graceful_timeout = 300
keepalive = 15
max_requests = 200_000
max_requests_jitter = 50_000
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # the application itself believes the proxies of its settings, and nobody else
logger_class = "serving.http.logs.ServerLogger"
accesslog = None  # the application logs its requests itself, as JSON with their ids
errorlog = "-"
control_socket_disable = True
# Read when prometheus_client is imported, which is when the application is loaded.
raw_env = [f"PROMETHEUS_MULTIPROC_DIR={run_folder.path()}"]
OBJECTS_BETWEEN_COLLECTIONS = 10_000  # what a few requests make, not what one does


def on_starting(server: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Allow as many open sockets as the system lets us."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def when_ready(server: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Leave what was loaded for good out of every collection: to walk through all of it takes longer than an answer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the first place that no living one has: it counts in the files of that place."""
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(place for place in range(len(taken) + 1) if place not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Open pool and store in the worker: a socket shared by two processes would mix up their answers. Detect soon."""
    from serving.http import metrics  # noqa: PLC0415 - reads the folder set above

    # Until gunicorn's own handlers are there, one inherited from the first process would swallow the signal to stop.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    metrics.take_place(str(worker.place))
    metrics.started()
    server.app.wsgi().extensions["granary"].serve()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """What the worker had in flight is in flight no more; runs in the first process, however the worker ended."""
    from serving.http import metrics  # noqa: PLC0415 - as above

    metrics.place_left(str(worker.place))


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Give the connections back."""
    server.app.wsgi().extensions["granary"].close()
