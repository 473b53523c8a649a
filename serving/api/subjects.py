"""`/api/v1/subjects`: whose heads there are, and one of them with its studies."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from braingranary.catalog.read import browse
from braingranary.errors import Code, RejectedInput
from serving.api import studies
from serving.api.schemas import Answer, Id, PageParameters, Parameters, Sex, Species, Text
from serving.auth.policies import Access, access
from serving.extensions import services
from serving.http.responses import after_of, answer, key_of, page_of

TAG = Tag(name="subjects", description="Heads by the archives' public pseudonyms; group by them when you split.")
api = APIBlueprint("subjects", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class SubjectPath(Parameters):
    """A subject by the id that lists give."""

    subject_id: Id


class SubjectsParameters(PageParameters):
    """Filters of the list of subjects."""

    subject: Text | None = Field(default=None, description="the archive's public pseudonym")
    collection: Text | None = None
    species: Species | None = None
    sex: Sex | None = None


class Subject(Answer):
    """One head; the same person may stand in more than one collection."""

    id: str
    subject: str = Field(description="the archive's public pseudonym")
    species: str
    sex: str | None
    study_count: int
    series_count: int
    collections: list[str]
    url: str


class SubjectPage(BaseModel):
    """A page of subjects."""

    subjects: list[Subject]
    next: str | None


class SubjectDetail(Subject):
    """One head with a page of its studies."""

    studies: list[studies.Study]
    next: str | None


@api.get("/subjects", summary="Subjects, filtered, page by page", responses={"200": SubjectPage})
@access(Access.PUBLIC)
def list_subjects(query: SubjectsParameters) -> Response:
    """Subjects in a stable order; the last page has no `next`."""
    wanted = browse.SubjectFilter(**query.model_dump(exclude={"limit", "cursor"}))
    after = after_of(query.cursor)
    with services().catalog() as connection:
        found = browse.subjects(connection, wanted, after=after, limit=query.limit + 1)
    page, more = page_of(found, query.limit, lambda item: item.subject_id)
    return answer(SubjectPage(subjects=[shown(item) for item in page], next=more))


@api.get("/subjects/<subject_id>", summary="One subject", responses={"200": SubjectDetail})
@access(Access.PUBLIC)
def one_subject(path: SubjectPath, query: PageParameters) -> Response:
    """A subject with a page of its studies."""
    key, after = key_of(path.subject_id), after_of(query.cursor)
    with services().catalog() as connection:
        found = browse.subjects(connection, browse.SubjectFilter(subject_id=key), limit=1)
        wanted = browse.StudyFilter(subject_id=key)
        of_subject = browse.studies(connection, wanted, after=after, limit=query.limit + 1)
    if not found:
        raise RejectedInput(Code.NOT_FOUND, "there is no such subject")
    page, more = page_of(of_subject, query.limit, lambda item: item.study_id)
    detail = {**shown(found[0]).model_dump(), "studies": [studies.shown(item) for item in page], "next": more}
    return answer(SubjectDetail.model_validate(detail))


def shown(item: browse.SubjectItem) -> Subject:
    """A subject with its address."""
    address = url_for("subjects.one_subject", subject_id=item.subject_id)
    return Subject.of(item, id=str(item.subject_id), url=address)
