"""The shipped nginx.conf agrees with the front door behind it."""

from __future__ import annotations

import re
from pathlib import Path

from braingranary.settings import ServingSettings
from serving.api.detect import UPLOAD_BYTES_MAX

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
GUNICORN = (ROOT / "serving" / "gunicorn.conf.py").read_text(encoding="utf-8")
UNITS = {"k": 1 << 10, "m": 1 << 20}


def test_bodies_that_the_front_door_takes_pass_the_proxy() -> None:
    sizes = {int(number) * UNITS[unit] for number, unit in re.findall(r"client_max_body_size (\d+)([km]);", TEXT)}
    _of_health, usual, largest = sorted(sizes)
    assert usual == ServingSettings().body_max_bytes
    assert UPLOAD_BYTES_MAX < largest <= UPLOAD_BYTES_MAX + (1 << 20)


def test_kept_connections_end_at_the_proxy_first() -> None:
    upstream = TEXT[TEXT.index("upstream front_door") :]
    proxy = re.search(r"keepalive_timeout (\d+)s;", upstream)
    front_door = re.search(r"^keepalive = (\d+)$", GUNICORN, re.MULTILINE)
    assert proxy is not None
    assert front_door is not None
    assert int(proxy[1]) < int(front_door[1])


def test_an_upload_touches_no_disk_of_the_proxy() -> None:
    detect = TEXT[TEXT.index("detect$ {") :].split("}")[0]
    size, buffer = (
        re.search(rf"{name} (\d+)m;", detect) for name in ("client_max_body_size", "client_body_buffer_size")
    )
    assert size is not None
    assert buffer is not None
    assert int(size[1]) < int(buffer[1])
