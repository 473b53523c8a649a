"""LICENSE.txt and CITATION.cff of a download: under which terms its slices may be used, and whom to name for them.

Goes in: where series come from, one by one; only what is distinct is kept. Comes out: two small texts, the same
for the same packs. What an archive calls a collection or a licence is quoted and never ends a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

LICENSE_NAME: Final = b"LICENSE.txt"
CITATION_NAME: Final = b"CITATION.cff"
NO_LICENSE: Final = "No licence stated by the archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """A licence and the collections under it; null for what their archive does not say."""

    name: str | None
    url: str | None
    collections: list[str]


class Source(NamedTuple):
    """A collection as its archive offers it, and the terms that some of its series came under."""

    archive: str
    collection: str
    license_name: str
    license_url: str
    citation_url: str


class Rights:
    """Licences and citations of what a download holds."""

    def __init__(self) -> None:
        self._seen: set[Source] = set()

    def add(self, source: Source) -> None:
        """Take note of where a series comes from."""
        self._seen.add(source)

    @property
    def collections(self) -> tuple[str, ...]:
        """Names of the collections, sorted."""
        return tuple(sorted({collection for _, collection, *_ in self._seen}))

    @property
    def licenses(self) -> tuple[License, ...]:
        """Licences by name, each with its collections."""
        kinds = sorted({(name, url) for _, _, name, url, _ in self._seen})
        return tuple(
            License(
                name=name or None,
                url=url or None,
                collections=sorted({item[1] for item in self._seen if (item[2], item[3]) == (name, url)}),
            )
            for name, url in kinds
        )

    def license_text(self) -> bytes:
        """LICENSE.txt: every licence by name and address, with the collections under it."""
        lines = [
            "The slices in this archive come from the collections below. Each collection keeps its own licence;",
            "manifest.csv tells it for every slice, and CITATION.cff whom to name.",
            "",
        ]
        for item in self.licenses:
            heading = item.name or item.url or NO_LICENSE
            lines += [_line(heading), *([f"  {_line(item.url)}"] if item.name and item.url else []), "  Collections:"]
            lines += [*(f"    {_line(name)}" for name in item.collections), ""]
        return "\n".join(lines).encode()

    def citation_text(self) -> bytes:
        """CITATION.cff (Citation File Format 1.2.0): every collection as a reference; JSON strings are YAML."""
        lines = [
            "cff-version: 1.2.0",
            "type: dataset",
            'title: "Brain MR slices normalized by BrainGranary"',
            'message: "Please cite the collections that these slices come from, each as its archive asks."',
            "authors:",
            '  - name: "The contributors of the collections listed as references"',
            *(["references:", *self._references()] if self._seen else []),
        ]
        return ("\n".join(lines) + "\n").encode()

    def _references(self) -> Iterator[str]:
        for archive, collection in sorted({item[:2] for item in self._seen}):
            own = [item for item in self._seen if item[:2] == (archive, collection)]
            addresses = sorted({item[4] for item in own if item[4]})
            licenses = sorted({item[3] or item[2] for item in own if item[2] or item[3]})
            yield "  - type: dataset"
            yield f"    title: {_quoted(collection)}"
            yield f"    authors: [{{name: {_quoted(f'Contributors of {collection}')}}}]"
            yield f"    database: {_quoted(archive)}"
            if addresses:
                yield f"    url: {_quoted(addresses[0])}"
            notes = [f"Licence: {', '.join(licenses)}"] if licenses else []
            notes += [f"See also: {', '.join(addresses[1:])}"] if addresses[1:] else []
            if notes:
                yield f"    notes: {_quoted('. '.join(notes))}"


def _quoted(text: str) -> str:
    return json.dumps(_line(text))


def _line(text: str) -> str:
    """`text` on one line."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
