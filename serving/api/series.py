"""`/api/v1/series`: the list with its filters, one series, and its slices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from braingranary.catalog.read import series
from braingranary.catalog.search.export import csv_bytes, parquet_bytes, with_addresses
from braingranary.catalog.search.filters import SeriesFilter
from braingranary.catalog.search.query import Position, Row, parse_sort_value
from braingranary.catalog.search.store import Snapshot
from braingranary.errors import Code, RejectedInput
from serving.api import schemas
from serving.api.pictures import slices
from serving.api.pictures.slices import slice_url
from serving.api.schemas import NoParameters, SeriesParameters, SeriesPath, SlicesParameters
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http import cursors
from serving.http.responses import answer
from serving.search import answer_of, state_response

TAG = Tag(name="series", description="Acquisitions: the unit of searching, viewing and labelling.")
api = APIBlueprint("series", __name__, url_prefix="/api/v1", abp_tags=[TAG])
MEDIA_TYPES: Final = {"json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


@api.get("/series", summary="Series, filtered, page by page or whole as a table", responses={"200": schemas.SeriesPage})
@access(Access.PUBLIC)
def list_series(query: SeriesParameters) -> Response:
    """Series in a stable order; the last page has no `next`.

    As CSV or Parquet, by `format` or `Accept`: everything that matches, one series a row, with the fields of the JSON.
    """
    snapshot = services().search.current
    form = query.format or _accepted()
    if form == "json":
        return answer_of(snapshot, lambda: listed(snapshot, query))
    return _table(snapshot, query, form)


def listed(snapshot: Snapshot, query: SeriesParameters) -> schemas.SeriesPage:
    """One page of the list that the parameters of a request describe."""
    selection = snapshot.select(wanted(query))
    after = _position(query.cursor, query.sort, query.order) if query.cursor else None
    found = selection.page(query.sort, descending=query.order == "desc", after=after, limit=query.limit + 1)
    page = found[: query.limit]
    return schemas.SeriesPage(
        series=[shown(row) for row in selection.rows(number for number, _ in page)],
        next=_cursor(page[-1][1], query.sort, query.order) if len(found) > query.limit else None,
        count=schemas.Count.model_validate(selection.count()) if query.count == "1" else None,
    )


def wanted(query: schemas.FilterParameters) -> SeriesFilter:
    """The filter that the parameters of a request describe."""
    return SeriesFilter(**query.model_dump(include=set(schemas.FilterParameters.model_fields)))


def shown(row: Row) -> schemas.Series:
    """A series with its addresses."""
    return schemas.Series.model_validate({**row, **_addresses(row)})


def detail(uid: str) -> schemas.SeriesDetail:
    """Everything that the catalogue knows of a series now; raises RejectedInput(NOT_FOUND)."""
    with services().catalog() as connection:
        found = series.series_detail(connection, uid)
    if found is None:
        raise RejectedInput(Code.NOT_FOUND, "there is no such series")
    return schemas.SeriesDetail.model_validate({**found, **_addresses(found)})


@api.get("/series/<uid>", summary="One series", responses={"200": schemas.SeriesDetail, "404": schemas.Problem})
@access(Access.PUBLIC)
def one_series(path: SeriesPath, query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """Everything the catalogue knows of a series."""
    return answer(detail(path.uid))


@api.get("/series/<uid>/slices", summary="Slices of a series", responses={"200": schemas.SlicePage})
@access(Access.PUBLIC)
def slices_of_series(path: SeriesPath, query: SlicesParameters) -> Response:
    """Slices by volume, plane and number."""
    volume, plane, index = cursors.decode(query.cursor, int, str, int) if query.cursor else (-1, "", -1)
    with services().catalog() as connection:
        found = series.slices_of_series(
            connection,
            path.uid,
            plane=query.plane,
            after=(int(volume), str(plane), int(index)),
            limit=query.limit + 1,
        )
        if not found and not series.series_exists(connection, path.uid):
            raise RejectedInput(Code.NOT_FOUND, "there is no such series")
    page = found[: query.limit]
    items = []
    for item in page:
        slice_id = f"{item.pack_id}-{item.slice_index}"
        items.append(schemas.Slice.of(item, id=slice_id, url=slice_url(slice_id)))
    last = page[-1] if len(found) > query.limit else None
    more = cursors.encode(last.volume, last.plane, last.slice_index) if last else None
    return answer(schemas.SlicePage(slices=items, next=more))


def _accepted() -> str:
    """The form that the caller prefers; JSON for `*/*` and for what we do not have."""
    media_type = request.accept_mimetypes.best_match(MEDIA_TYPES.values(), MEDIA_TYPES["json"])
    return next(form for form, known in MEDIA_TYPES.items() if known == media_type)


def _table(snapshot: Snapshot, query: SeriesParameters, form: str) -> Response:
    """All series that match as one table, streamed; it counts among the long answers of this process."""
    if query.cursor:
        raise RejectedInput(Code.REQUEST_INVALID, "cursor: a table is whole and has no pages")
    selection = snapshot.select(wanted(query))
    response = state_response(snapshot, MEDIA_TYPES[form])
    if response.status_code != 200:
        return response
    response.headers["Content-Disposition"] = f'attachment; filename="series.{form}"'
    batches = with_addresses(
        selection.batches(selection.ordered(query.sort, descending=query.order == "desc")),
        series=_series_prefix(),
        slices=_slice_prefix(),
    )
    pieces: Iterator[bytes] = csv_bytes(batches) if form == "csv" else parquet_bytes(batches)
    if request.method == "GET":
        with ExitStack() as held:
            held.enter_context(services().downloads.hold())
            response.response = pieces
            response.call_on_close(held.pop_all().close)
    return response


def _addresses(row: Row) -> dict[str, str | None]:
    # Not url_for, which would cost as much as the rest of the row.
    address = f"{_series_prefix()}{row['series_uid']}"
    cover = f"{row['cover_pack_id']}-{row['cover_index']}"
    return {
        "url": address,
        "slices_url": f"{address}/slices",
        "thumbnail_url": slice_url(cover) if row["cover_pack_id"] is not None else None,
    }


def _series_prefix() -> str:
    return f"{request.script_root}{api.url_prefix}/series/"


def _slice_prefix() -> str:
    return f"{request.script_root}{slices.api.url_prefix}/slices/"


def _cursor(ended: Position, sort: str, order: str) -> str:
    value = ended.value.isoformat() if isinstance(ended.value, date) else ended.value
    return cursors.encode(sort, order, "" if value is None else value, ended.series_id)


def _position(cursor: str, sort: str, order: str) -> Position:
    """Where a page ended; a cursor of another order, or with a value that could not be sorted by, is refused."""
    of_sort, of_order, text, series_id = cursors.decode(cursor, str, str, str, int)
    try:
        if (of_sort, of_order) != (sort, order):
            raise ValueError
        value = parse_sort_value(str(text), sort) if text else None
        return Position(value=value, series_id=int(series_id))
    except (ValueError, OverflowError):
        raise RejectedInput(Code.REQUEST_INVALID, "cursor: not one of this list") from None
