"""`/api/v1/studies`: examinations, and one of them with its series."""

from __future__ import annotations

from datetime import date

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import browse
from braingranary.errors import Code, RejectedInput
from serving.api.pictures.slices import slice_url
from serving.api.schemas import Answer, Day, PageParameters, Parameters, Text, Uid
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, answer, page_of

TAG = Tag(name="studies", description="Examinations: one visit of one subject.")
api = APIBlueprint("studies", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class StudyPath(Parameters):
    """A study by its StudyInstanceUID."""

    uid: Uid


class StudiesParameters(PageParameters):
    """Filters of the list of studies."""

    subject: Text | None = Field(default=None, description="the archive's public pseudonym")
    collection: Text | None = None
    date_from: Day | None = Field(default=None, description="first day; archives often shift dates")
    date_to: Day | None = Field(default=None, description="last day")


class Study(Answer):
    """One examination."""

    study_uid: str
    subject: str
    study_date: date | None = Field(description="often shifted by the archive")
    study_description: str | None
    series_count: int
    collections: list[str]
    sequences: list[str]
    url: str
    subject_url: str


class StudyPage(BaseModel):
    """A page of studies."""

    studies: list[Study]
    next: str | None


class StudySeries(Answer):
    """One series within its study."""

    series_uid: str
    series_number: int | None
    series_description: str | None
    modality: str
    sequence: str | None
    plane: str
    slice_count: int
    volume_count: int
    url: str
    thumbnail_url: str | None


class StudyDetail(Study):
    """One examination with a page of its series."""

    series: list[StudySeries]
    next: str | None


@api.get("/studies", summary="Studies, filtered, page by page", responses={"200": StudyPage})
@access(Access.PUBLIC)
def list_studies(query: StudiesParameters) -> Response:
    """Studies in a stable order; the last page has no `next`."""
    wanted = browse.StudyFilter(**query.model_dump(exclude={"limit", "cursor"}))
    after = after_of(query.cursor)
    with services().catalog() as connection:
        found = browse.studies(connection, wanted, after=after, limit=query.limit + 1)
    page, more = page_of(found, query.limit, lambda item: item.study_id)
    return answer(StudyPage(studies=[shown(item) for item in page], next=more))


@api.get("/studies/<uid>", summary="One study", responses={"200": StudyDetail})
@access(Access.PUBLIC)
def one_study(path: StudyPath, query: PageParameters) -> Response:
    """A study with a page of its series."""
    after = after_of(query.cursor)
    with services().catalog() as connection:
        found = browse.studies(connection, browse.StudyFilter(study_uid=path.uid), limit=1)
        of_study = browse.series_of_study(connection, path.uid, after=after, limit=query.limit + 1)
    if not found:
        raise RejectedInput(Code.NOT_FOUND, "there is no such study")
    page, more = page_of(of_study, query.limit, lambda item: item.series_id)
    detail = {**shown(found[0]).model_dump(), "series": [_series(item) for item in page], "next": more}
    return answer(StudyDetail.model_validate(detail))


def shown(item: browse.StudyItem) -> Study:
    """A study with its addresses."""
    return Study.of(
        item,
        url=url_for("studies.one_study", uid=item.study_uid),
        subject_url=url_for("subjects.one_subject", subject_id=item.subject_id),
    )


def _series(item: browse.StudySeries) -> StudySeries:
    cover = slice_url(f"{item.cover_pack_id}-{item.cover_index}") if item.cover_pack_id is not None else None
    return StudySeries.of(item, url=url_for("series.one_series", uid=item.series_uid), thumbnail_url=cover)
