"""A service of the stack and how it is brought up: adopted when it runs as wanted, otherwise repaired or started.

Why one way for all: a stack may be found running, half started after a kill, or running with another configuration, and
each service has to end in the same state from any of these.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from braingranary.devstack import processes
from braingranary.devstack.state import State
from braingranary.errors import ConfigurationError

_FOUNDATIONS: Final = frozenset({"postgres", "s3"})
_ADOPT_TIMEOUT_S: Final = 60.0


class Service(Protocol):
    """One process with its children that offers something on a port."""

    name: str
    start_timeout_s: float

    def prepare(self) -> None:
        """Make what it needs on disk; changes nothing when all is there."""
        ...

    def command(self) -> processes.Command:
        """What starts it; equal each time as long as nothing of its configuration changed."""
        ...

    def healthy(self) -> bool:
        """Whether it answers as it should now."""
        ...


def start(service: Service) -> processes.ProcessRecord:
    """Start and wait until it is healthy; ends it again and raises ConfigurationError when that does not happen."""
    service.prepare()
    record = processes.start(service.command())
    wait(service, record)
    return record


def wait(service: Service, record: processes.ProcessRecord) -> None:
    """Return when the service is healthy; ends it and raises ConfigurationError otherwise."""
    try:
        processes.wait_healthy(record, service.healthy, timeout_s=service.start_timeout_s)
    except ConfigurationError:
        processes.stop(record)
        raise


def adopt(state: State, service: Service) -> processes.ProcessRecord | None:
    """The record of the running service when it is what is wanted and healthy; otherwise None, and it is ended."""
    for record in processes.load_records(state.records):
        if record.name != service.name:
            continue
        wanted = record.fingerprint == service.command().fingerprint
        if wanted and _settles(service, record):
            return record
        processes.stop(record)
    return None


def _settles(service: Service, record: processes.ProcessRecord) -> bool:
    """Whether a running service is healthy, or becomes so: one that is merely slow now is not worth another start."""
    if processes.leader(record) is None:
        return False
    try:
        processes.wait_healthy(record, service.healthy, timeout_s=_ADOPT_TIMEOUT_S)
    except ConfigurationError:
        return False
    return True


def launch(state: State, service: Service) -> processes.ProcessRecord:
    """Start the service and write its record down; it need not be healthy yet."""
    service.prepare()
    record = processes.start(service.command())
    record.save(state.records)
    return record


def running(state: State, name: str) -> bool:
    """Whether a process of this name was started and still runs."""
    return any(
        record.name == name and processes.leader(record) is not None for record in processes.load_records(state.records)
    )


def end_strays(state: State) -> None:
    """End what was started for the folder and never written down, because the command was killed just then."""
    known = {record.marker for record in processes.load_records(state.records)}
    for record in processes.stray(state.root):
        if record.marker not in known:
            processes.stop(record)


def stop_all(state: State) -> list[str]:
    """End everything that was ever started for the folder and still lives; returns the names, and forgets them.

    What the others stand on is ended last, so that none of them loses it while it still works.
    """
    records = [*processes.load_records(state.records), *processes.stray(state.root)]
    ended: list[str] = []
    for group in (
        [record for record in records if record.name not in _FOUNDATIONS],
        [record for record in records if record.name in _FOUNDATIONS],
    ):
        with ThreadPoolExecutor(max_workers=4) as together:
            for record, count in zip(group, together.map(processes.stop, group), strict=True):
                if count:
                    ended.append(record.name)
                (state.records / f"{record.name}.json").unlink(missing_ok=True)
    return ended
