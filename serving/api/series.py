"""`/api/v1/series`: the list with its filters, one series, and its slices."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.catalog.db import Connection
from braingranary.catalog.read import series as search
from braingranary.errors import Code, RejectedInput
from serving.api import schemas, slices
from serving.api.schemas import NoParameters, SeriesParameters, SeriesPath, SlicesParameters
from serving.api.slices import slice_url
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http import cursors
from serving.http.responses import answer, answer_json

TAG = Tag(name="series", description="Acquisitions: the unit of searching, viewing and labelling.")
api = APIBlueprint("series", __name__, url_prefix="/api/v1", abp_tags=[TAG])
_COLUMNS: Final = tuple(field.name for field in fields(search.SeriesItem))


@api.get("/series", summary="Series, filtered, page by page", responses={"200": schemas.SeriesPage})
@access(Access.PUBLIC)
def list_series(query: SeriesParameters) -> Response:
    """Series in a stable order; the last page has no `next`."""
    with services().catalog() as connection:
        found = _found(connection, query)
        told = search.page_told(connection, [place.series_id for place in found.places], _addresses())
    rest = schemas.PageEnd(next=found.next, count=found.count).model_dump_json().encode()
    return answer_json(b'{"series":[%b],%b' % (told, rest[1:]))


def listed(connection: Connection, query: SeriesParameters) -> schemas.SeriesPage:
    """The same page as a model, for those who do not pass it on as it is."""
    found = _found(connection, query)
    items = search.series_shown(connection, [place.series_id for place in found.places])
    return schemas.SeriesPage(series=[shown(item) for item in items], next=found.next, count=found.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Keys of one page of the list that the parameters of a request describe, and how it goes on."""

    places: list[search.Position]
    next: str | None
    count: schemas.Count | None


def _found(connection: Connection, query: SeriesParameters) -> _Found:
    narrowed, sort = wanted(query), search.Sort(query.sort)
    after = _position(query.cursor, sort, query.order) if query.cursor else None
    found = search.series_places(
        connection, narrowed, sort=sort, descending=query.order == "desc", after=after, limit=query.limit + 1
    )
    count = search.count(connection, narrowed) if query.count == "1" else None
    page = found[: query.limit]
    return _Found(
        places=page,
        next=_cursor(page[-1], sort, query.order) if len(found) > query.limit else None,
        count=schemas.Count.model_validate(count) if count else None,
    )


def _addresses() -> search.Addresses:
    # Not url_for, which would cost as much as the rest of the row.
    return search.Addresses(
        series=f"{request.script_root}{api.url_prefix}/series/",
        slices=f"{request.script_root}{slices.api.url_prefix}/slices/",
    )


def wanted(query: schemas.FilterParameters) -> search.SeriesFilter:
    """The filter that the parameters of a request describe."""
    return search.SeriesFilter(**query.model_dump(include=set(schemas.FilterParameters.model_fields)))


def _cursor(ended: search.Position, sort: search.Sort, order: str) -> str:
    value = ended.value.isoformat() if isinstance(ended.value, date) else ended.value
    return cursors.encode(sort, order, "" if value is None else value, ended.series_id)


def _position(cursor: str, sort: search.Sort, order: str) -> search.Position:
    """Where a page ended; a cursor of another order, or with a value that could not be sorted by, is refused."""
    of_sort, of_order, text, series_id = cursors.decode(cursor, str, str, str, int)
    try:
        if (of_sort, of_order) != (sort, order):
            raise ValueError
        return search.Position(value=search.parsed(str(text), sort) if text else None, series_id=int(series_id))
    except (ValueError, OverflowError):
        raise RejectedInput(Code.REQUEST_INVALID, "cursor: not one of this list") from None


@api.get("/series/<uid>", summary="One series", responses={"200": schemas.SeriesDetail, "404": schemas.Problem})
@access(Access.PUBLIC)
def one_series(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Everything the catalogue knows of a series."""
    with services().catalog() as connection:
        told = search.detail_told(connection, path.uid, _addresses())
    if told is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such series")
    return answer_json(told)


@api.get("/series/<uid>/slices", summary="Slices of a series", responses={"200": schemas.SlicePage})
@access(Access.PUBLIC)
def slices_of_series(path: SeriesPath, query: SlicesParameters) -> Response:
    """Slices by volume, plane and number."""
    volume, plane, index = cursors.decode(query.cursor, int, str, int) if query.cursor else (-1, "", -1)
    with services().catalog() as connection:
        found = search.slices_of_series(
            connection,
            path.uid,
            plane=query.plane,
            after=(int(volume), str(plane), int(index)),
            limit=query.limit + 1,
        )
        if not found and search.series_by_uid(connection, path.uid) is None:
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
    page = found[: query.limit]
    items = []
    for item in page:
        slice_id = f"{item.pack_id}-{item.slice_index}"
        items.append(schemas.Slice.model_validate({**asdict(item), "id": slice_id, "url": slice_url(slice_id)}))
    last = page[-1] if len(found) > query.limit else None
    more = cursors.encode(last.volume, last.plane, last.slice_index) if last else None
    return answer(schemas.SlicePage(slices=items, next=more))


def shown(item: search.SeriesItem) -> schemas.Series:
    """A series with its addresses."""
    addresses = _addresses()
    address = f"{addresses.series}{item.series_uid}"
    cover = slice_url(f"{item.cover_pack_id}-{item.cover_index}") if item.cover_pack_id is not None else None
    return schemas.Series.model_validate(
        {
            **{name: getattr(item, name) for name in _COLUMNS},
            "url": address,
            "slices_url": f"{address}/slices",
            "thumbnail_url": cover,
        }
    )
