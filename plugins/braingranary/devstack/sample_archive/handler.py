"""One HTTP request of the sample archive: routing, parameters, answers, and the fault that hits it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from braingranary.devstack.sample_archive import answers
from braingranary.devstack.sample_archive.faults import FOREVER_S, Fault, FaultRule
from braingranary.devstack.sample_archive.zips import write_zip

if TYPE_CHECKING:
    from braingranary.devstack.sample_archive.index import Series
    from braingranary.devstack.sample_archive.served import ServedArchive

ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "getCollectionValues": (),
    "getPatient": ("Collection",),
    "getPatientStudy": ("Collection", "PatientID", "StudyInstanceUID"),
    "getSeries": (
        "Collection",
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "BodyPartExamined",
        "Manufacturer",
        "ManufacturerModelName",
        "format",
    ),
    "getUpdatedSeries": ("fromDate",),
    "getSeriesMetadata": ("list",),
    "getSOPInstanceUIDs": ("SeriesInstanceUID",),
    "getSeriesSize": ("SeriesInstanceUID",),
    "getImage": ("SeriesInstanceUID", "NewFileNames", "IncludeMD5"),
    "getImageWithMD5Hash": ("SeriesInstanceUID",),
}
_API_PATH: Final = "/nbia-api/services/v4/"
_BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # 10,000 UIDs
_HTML: Final = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Please wait</h1></body></html>"


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class ArchiveHandler(BaseHTTPRequestHandler):
    """Bound to its archive by a subclass; HTTP/1.1 with connections kept."""

    archive: ClassVar[ServedArchive]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    timeout = 60  # seconds that an idle connection is kept
    _hit = False
    """Whether the stall or reset of this request has set in."""
    _broken = False
    """Whether the connection is given up: nothing more may go out."""

    def do_GET(self) -> None:
        """Every endpoint but getSeriesMetadata."""
        self._answer(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def do_POST(self) -> None:
        """getSeriesMetadata, and the control endpoints."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _BODY_BYTES_MAX))
        if self.path.startswith("/control/"):
            self._control(body)
        else:
            self._answer(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))

    def do_DELETE(self) -> None:
        """No faults any more."""
        self._control(b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
        """Requests are counted, not printed."""

    # routing

    def _answer(self, parameters: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        if path == "/control/stats":
            self._control(b"")
            return
        endpoint = path.removeprefix(_API_PATH)
        series_uid = parameters.get("SeriesInstanceUID")
        stats = self.archive.stats
        with stats.lock:
            stats.requests[endpoint] += 1
            if endpoint.startswith("getImage"):
                stats.series[series_uid or ""] += 1
            stats.at_once += 1
            stats.at_once_max = max(stats.at_once_max, stats.at_once)
        self._hit = self._broken = False
        try:
            rule = self._rule(endpoint, series_uid)
            self.archive.ending.wait(self.archive.latency_s)
            if self._failed_before(rule):
                return
            if endpoint not in ALLOWED or path == endpoint:
                raise _RefusedError(404, "no such endpoint")
            unknown = parameters.keys() - set(ALLOWED[endpoint])
            if unknown:
                raise _RefusedError(400, f"Invalid parameter. Allowed parameters: {', '.join(ALLOWED[endpoint])}")
            if endpoint.startswith("getImage"):
                self._zip(endpoint, parameters, rule)
            else:
                self._text(*self._metadata_answer(endpoint, parameters), rule=rule)
        except _RefusedError as refused:
            self._text(str(refused), "text/plain", status=refused.status)
        finally:
            with stats.lock:
                stats.at_once -= 1

    def _rule(self, endpoint: str, series_uid: str | None) -> FaultRule | None:
        if fault := self.headers.get("X-Sample-Fault"):
            return FaultRule.parse(fault)
        return self.archive.plan.hit(endpoint, series_uid)

    def _metadata_answer(self, endpoint: str, parameters: Mapping[str, str]) -> tuple[str, str]:
        """Body and content type of a metadata endpoint."""
        if endpoint in {"getSOPInstanceUIDs", "getSeriesSize"}:
            return self._answer_of_one(endpoint, self._series(parameters))
        rows = self.archive.rows()
        if endpoint == "getSeriesMetadata":
            wanted = set(parameters.get("list", "").split(","))
            return answers.metadata_csv(row for row in rows if row["SeriesInstanceUID"] in wanted), "text/csv"
        if endpoint == "getUpdatedSeries":
            try:
                after = datetime.strptime(parameters.get("fromDate", ""), answers.NBIA_DATE).date()  # noqa: DTZ007
            except ValueError:
                raise _RefusedError(422, "fromDate must be MM-DD-YYYY") from None
            return _json([row for row in rows if _released(row) > after])
        wanted_fields = {name: value for name, value in parameters.items() if name != "format"}
        if parameters.get("format", "json").lower() != "json":
            raise _RefusedError(400, "format must be json")
        found = answers.matching(rows, wanted_fields)
        if endpoint == "getCollectionValues":
            return _json(answers.collection_rows(found))
        if endpoint == "getPatient":
            return _json(answers.patient_rows(found))
        return _json(answers.study_rows(found) if endpoint == "getPatientStudy" else found)

    @staticmethod
    def _answer_of_one(endpoint: str, series: Series) -> tuple[str, str]:
        if endpoint == "getSOPInstanceUIDs":
            return _json([{"SOPInstanceUID": item.header.get("SOPInstanceUID", "")} for item in series.files])
        return _json([{"TotalSizeInBytes": f"{series.size}.000000", "ObjectCount": str(len(series.files))}])

    def _series(self, parameters: Mapping[str, str]) -> Series:
        series = self.archive.index.series.get(parameters.get("SeriesInstanceUID", ""))
        if series is None:
            raise _RefusedError(400, "The series is unknown or you have no permission to it.")
        return series

    # answers

    def _text(self, text: str, kind: str, *, status: int = 200, rule: FaultRule | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        extra = 100 if rule and rule.fault is Fault.WRONG_LENGTH else 0
        self.send_header("Content-Length", str(len(body) + extra))
        self.end_headers()
        self._paced(body, rule, len(body))
        if extra:
            self.close_connection = True

    def _zip(self, endpoint: str, parameters: Mapping[str, str], rule: FaultRule | None) -> None:
        series = self._series(parameters)
        plain = endpoint == "getImage"
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        wrong_length = rule is not None and rule.fault is Fault.WRONG_LENGTH
        if wrong_length:
            self.send_header("Content-Length", str(series.size * 2 + 10_000))
            self.close_connection = True
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0

        def send(piece: bytes) -> None:
            nonlocal sent
            for start in range(0, len(piece), 16 * 1024) if rule else (0,):
                part = piece[start : start + 16 * 1024] if rule else piece
                self._paced(part, rule, max(1, series.size // 4 - sent), chunked=not wrong_length)
                sent += len(part)
            with self.archive.stats.lock:
                self.archive.stats.bytes_sent += len(piece)

        write_zip(
            series,
            send,
            license_text=answers.license_text(series) if plain else None,
            new_names=plain and _yes(parameters.get("NewFileNames")),
            with_md5=not plain or _yes(parameters.get("IncludeMD5")),
            level=self.archive.deflate_level,
            fault=rule.fault if rule else None,
        )
        if not wrong_length:
            self.wfile.write(b"0\r\n\r\n")

    def _paced(self, data: bytes, rule: FaultRule | None, hit_after: int, *, chunked: bool = False) -> None:
        """Send `data`; STALL, SLOW and RESET set in once `hit_after` bytes more have gone out."""
        fault = rule.fault if rule else None
        if fault is Fault.SLOW:
            for byte in data:
                self._send(bytes([byte]), chunked)
                self.wfile.flush()
                if self.archive.ending.wait(1.0):
                    raise ConnectionAbortedError
            return
        if rule and fault in {Fault.STALL, Fault.RESET} and hit_after <= len(data) and not self._hit:
            self._hit = True
            self._send(data[: len(data) // 2], chunked)
            self.wfile.flush()
            if fault is Fault.RESET:
                self._reset()
            self.archive.ending.wait(rule.seconds or FOREVER_S)
            data = data[len(data) // 2 :]
            if rule.seconds is None:
                self._broken = True
                raise ConnectionAbortedError
        self._send(data, chunked)

    def _send(self, data: bytes, chunked: bool) -> None:
        if self._broken:  # a zip that is given up still wants to write its directory
            raise ConnectionResetError
        if data:
            pieces = (b"%x\r\n" % len(data), data, b"\r\n") if chunked else (data,)
            self.wfile.writelines(pieces)  # never joined: the data may be a whole scan's

    def _reset(self) -> None:
        """End the connection with RST, as a crashed peer does."""
        self._broken = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for holder in (self.rfile, self.wfile, self.connection):  # the connection ends with the last of them
            holder.close()
        raise ConnectionResetError

    def _failed_before(self, rule: FaultRule | None) -> bool:
        """Answer with the fault where it takes the place of the answer."""
        if rule is None:
            return False
        headers: dict[str, str] = {}
        if rule.fault is Fault.TOO_MANY:
            status, body, kind = 429, b"too many requests", "text/plain"
        elif rule.fault is Fault.ERROR_500:
            status, body, kind = 500, b"internal error", "text/plain"
        elif rule.fault is Fault.ERROR_503:
            status, body, kind = 503, b"unavailable", "text/plain"
        elif rule.fault is Fault.HTML:
            status, body, kind = 200, _HTML, "text/html"
        elif rule.fault is Fault.EMPTY:
            status, body, kind = 200, b"", "application/json"
        elif rule.fault is Fault.REDIRECT:
            status, body, kind = 302, b"", "text/plain"
            headers["Location"] = rule.location
        else:
            if rule.fault is Fault.LATENCY:
                self.archive.ending.wait(rule.seconds or 0.0)
            return False
        if rule.seconds is not None and status in {429, 503}:
            headers["Retry-After"] = f"{rule.seconds:g}"
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def _control(self, body: bytes) -> None:
        archive = self.archive
        try:
            if self.path == "/control/stats":
                with archive.stats.lock:
                    counts = {"requests": dict(archive.stats.requests), "at_once_max": archive.stats.at_once_max}
                self._text(json.dumps(counts), "application/json")
                return
            if self.path == "/control/refresh":
                archive.index.refresh()
            elif self.path == "/control/faults" and self.command == "DELETE":
                archive.plan.clear()
            elif self.path == "/control/faults":
                value = json.loads(body)
                for item in value if isinstance(value, list) else [value]:
                    archive.plan.add(FaultRule.from_json(item))
            else:
                self._text("no such control", "text/plain", status=404)
                return
        except ValueError as error:
            self._text(str(error), "text/plain", status=400)
        else:
            self._text("", "text/plain", status=200)


def _json(rows: list[answers.Row]) -> tuple[str, str]:
    """JSON, or nothing at all where nothing was found."""
    return (json.dumps(rows) if rows else ""), "application/json"


def _yes(value: str | None) -> bool:
    return (value or "").lower() in {"yes", "true"}


def _released(row: answers.Row) -> Any:
    return datetime.strptime(str(row["DateReleased"]), answers.NBIA_DATE).date()  # noqa: DTZ007 - a date
