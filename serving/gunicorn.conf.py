# ruff: noqa: N999 - gunicorn looks for this name
"""How gunicorn runs the front door: threads in a few preloaded processes, connections opened after the fork.

`gunicorn --config serving/gunicorn.conf.py serving.wsgi:app`; every value can be given on the command line instead.
"""

from __future__ import annotations

from typing import Any

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 2
threads = 8
preload_app = True
# A download is one long answer: only a worker that stopped beating is ended, not one that streams.
timeout = 60
graceful_timeout = 30
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = None  # the application logs its requests itself, as JSON with their ids
errorlog = "-"
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Open pool and store in the worker: a socket shared by two processes would mix up their answers."""
    from serving.wsgi import app  # noqa: PLC0415 - only exists once the settings are there

    app.extensions["granary"].open()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - the signature is gunicorn's
    """Give the connections back."""
    from serving.wsgi import app  # noqa: PLC0415 - as above

    app.extensions["granary"].close()
