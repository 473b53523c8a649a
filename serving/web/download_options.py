"""What the download page offers beside its size: which planes, whose labels, whether to leave restricted parts out.

Goes in: what was asked and how an address is made. Comes out: links of which each is a whole state of the page.
"""

from __future__ import annotations

from typing import Final

from serving.web.search_view import Address, Arguments, without

NOT_FILTERS: Final = frozenset({"query", "labels", "restricted"})
TITLES: Final = {"withtumor": "With tumour", "notumor": "Without tumour"}
PLANES: Final = {"ax": "axial", "cor": "coronal", "sag": "sagittal"}
LABELS: Final = {"truth": "Labelled", "model": "By the model where nobody labelled", "all": "Both"}


def title(query: str | None) -> str:
    """The heading of the page."""
    if query is None:
        return "Download series"
    tumor, plane = query.split("_")
    return f"Download: {TITLES[tumor].lower()}, {PLANES[plane]}"


def choices(asked: Arguments, address: Address) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Groups of (text, address, whether it is in force): labels of a named query, planes of filtered series."""
    if "query" in asked:
        now = asked.get("labels", ("truth",))
        links = [(text, address({**asked, "labels": (name,)}), name in now) for name, text in LABELS.items()]
        return [("Whose labels", links)]
    chosen = asked.get("shown_plane", ())
    every = ("All planes", address(without(asked, "shown_plane")), not chosen)
    links = [
        (name.capitalize(), address({**asked, "shown_plane": (name,)}), name in chosen) for name in PLANES.values()
    ]
    return [("Planes", [every, *links])]
