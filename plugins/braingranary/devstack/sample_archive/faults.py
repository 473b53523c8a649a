"""What can go wrong with an archive, on demand: rules that say which fault hits which request.

Goes in: rules by constructor, control endpoint or command line. Comes out: for every request the rule that hits it, if
one does. Rules are tried in order; one that has hit `times` requests is spent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

FOREVER_S: Final = 3600.0  # longer than any client may wait


class Fault(StrEnum):
    """One way in which an archive fails."""

    SHORT_ZIP = "short_zip"  # closed early, well-formed, no md5hashes.csv
    WRONG_MD5 = "wrong_md5"  # one line of md5hashes.csv is wrong
    FLIPPED_BYTE = "flipped_byte"  # one byte of one image, CRC-32 in keeping with it
    STALL = "stall"  # half of the answer, then silence
    SLOW = "slow"  # one byte a second
    RESET = "reset"  # half of the answer, then a TCP reset
    WRONG_LENGTH = "wrong_length"  # Content-Length says more than is sent
    TOO_MANY = "too_many"  # 429 with Retry-After
    ERROR_500 = "error_500"
    ERROR_503 = "error_503"
    HTML = "html"  # 200 with a page of a proxy
    EMPTY = "empty"  # 200 with no body
    REDIRECT = "redirect"  # 302 to `location`
    LATENCY = "latency"  # `seconds` more, then the right answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """A fault and the requests it hits; what is None or left out does not narrow."""

    fault: Fault
    endpoint: str | None = "getImage"
    series_uid: str | None = None
    times: int | None = None
    probability: float = 1.0
    seconds: float | None = None
    """Of a stall (default: an hour), of added latency, or of Retry-After (None: no such header)."""
    location: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FaultRule:
        """A rule from its JSON form; raises ValueError on unknown names or values."""
        unknown = value.keys() - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        try:
            return cls(**{**value, "fault": Fault(value.get("fault", ""))})
        except TypeError as error:
            raise ValueError(str(error)) from error

    @classmethod
    def parse(cls, text: str) -> FaultRule:
        """A rule from `kind` or `kind:key=value,...`; raises ValueError."""
        kind, _, rest = text.partition(":")
        value: dict[str, Any] = {"fault": kind}
        for item in filter(None, rest.split(",")):
            name, _, told = item.partition("=")
            value[name] = int(told) if name == "times" else float(told) if name in {"probability", "seconds"} else told
        if value.get("endpoint") == "*":
            value["endpoint"] = None
        return cls.from_json(value)


class FaultPlan:
    """The rules in force; safe for use by the server's threads. Chance is seeded, so that a test can be repeated."""

    def __init__(self, rules: Iterable[FaultRule] = (), *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - chance for tests, not for secrets
        self._rules: list[tuple[FaultRule, int]] = [(rule, 0) for rule in rules]

    def add(self, rule: FaultRule) -> None:
        """Put `rule` in force, behind those that are."""
        with self._lock:
            self._rules.append((rule, 0))

    def clear(self) -> None:
        """No faults from now on."""
        with self._lock:
            self._rules.clear()

    def hit(self, endpoint: str, series_uid: str | None) -> FaultRule | None:
        """The first rule that hits this request, counted as spent once more."""
        with self._lock:
            for index, (rule, spent) in enumerate(self._rules):
                if rule.endpoint is not None and not endpoint.startswith(rule.endpoint):
                    continue
                if rule.series_uid is not None and rule.series_uid != series_uid:
                    continue
                if rule.times is not None and spent >= rule.times:
                    continue
                if rule.probability < 1 and self._random.random() >= rule.probability:
                    continue
                self._rules[index] = (rule, spent + 1)
                return rule
        return None
