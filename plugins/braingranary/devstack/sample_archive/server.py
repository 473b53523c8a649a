"""The sample archive itself: an HTTP server with the endpoints, answers and faults of NBIA v4.

Goes in: a folder of DICOM and, if wanted, faults and latency. Comes out: a running server at `url`. Nothing found is
200 with an empty body, an unknown parameter or series 400, a parameter that makes no sense 422. Zips are streamed with
no Content-Length, in constant memory. Beside the archive stand `POST|DELETE /control/faults`, `POST /control/refresh`
and `GET /control/stats`; the header `X-Sample-Fault: KIND[:key=value,...]` hits one request.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from datetime import date
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from braingranary.devstack.sample_archive.faults import FaultRule
from braingranary.devstack.sample_archive.handler import ArchiveHandler
from braingranary.devstack.sample_archive.served import ServedArchive

API_PATH: Final = "/nbia-api/services/v4/"
DEFLATE_LEVEL: Final = 1  # quick; scans shrink little more at higher levels

_log = structlog.get_logger(__name__)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[ArchiveHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, object]:
        """Remember the connection, so that it can be ended."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """End one connection."""
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End those that are open, kept ones and stalled ones."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - signature of the base
        """A client that went away is no event of note here."""
        _log.debug("sample_archive_connection_ended")


class SampleArchive(ServedArchive):
    """Serves `folder` from construction of the socket in `start()` until `stop()`; also a context manager.

    `url` is the base URL a TCIA client wants, ending in `/nbia-api/services/v4/`. `released` replaces DateReleased of
    every series (otherwise the files' own dates); `deflate_level` 0 to 9.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_s: float = 0.0,
        released: date | None = None,
        faults: Iterable[FaultRule] = (),
        deflate_level: int = DEFLATE_LEVEL,
    ) -> None:
        super().__init__(folder, released, latency_s, faults, deflate_level)
        handler = type("BoundHandler", (ArchiveHandler,), {"archive": self})
        self._server = _Server((host, port), handler)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    @property
    def root_url(self) -> str:
        """Scheme, host and port, for the control endpoints."""
        return f"http://{self._server.server_address[0]!s}:{self.port}"

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return self.root_url + API_PATH

    def start(self) -> Self:
        """Begin to serve, from a thread."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sample-archive")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, stalls included; harmless a second time."""
        self.ending.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
