"""`POST /detect`: is there a tumour in this picture, slice or series.

Goes in: one file as multipart field `file`, of any of the kinds that `detector.uploads` knows. Comes out: exactly
`{"result": "Tumor"}` or `{"result": "No Tumor"}`, more on request, or a problem with the code of what was refused.

A place among the detections is taken before the body is read, the body stays in memory, and nothing of it is stored,
logged or audited; nor is the result, which may be about the one who asks.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any, Final, Literal

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.formparser import FormDataParser

from braingranary.detector.contracts.detection import Answer
from braingranary.errors import Code, RejectedInput
from serving.api import schemas
from serving.api.account.authorization import own_id
from serving.api.schemas import Parameters, Problem
from serving.auth.policies import Access, Rate, access, audit
from serving.detect.service import detection
from serving.http.problems import problem
from serving.http.request_log import takes_body
from serving.http.responses import unkept

FIELD: Final = "file"
UPLOAD_BYTES_MAX: Final = 64 << 20
_FRAMING_BYTES: Final = 512 << 10  # boundaries, part headers and other fields around the file
_PARTS_MAX: Final = 8
_TOO_LARGE: Final = frozenset(
    {
        Code.IMAGE_TOO_LARGE,
        Code.DICOM_TOO_LARGE,
        Code.SERIES_TOO_LARGE,
        Code.ZIP_TOO_LARGE,
        Code.ZIP_TOO_MANY_ENTRIES,
    }
)


class DetectParameters(Parameters):
    """How much is told."""

    details: Literal["0", "1"] = Field(
        default="0", description="1: probability, threshold, model, slice, lesion as well"
    )
    overlay: Literal["0", "1"] = Field(
        default="0", description="1: a PNG of the slice with the outline; with details=1 it comes inside the JSON"
    )


class Box(BaseModel):
    """Pixels of the upload; bottom and right are the first ones outside."""

    top: int
    left: int
    bottom: int
    right: int


class Lesion(BaseModel):
    """What is outlined in the slice of the maximum."""

    box: Box
    area_px: int
    area_mm2: float | None = Field(description="null where the upload does not tell its pixel spacing")


class Detection(schemas.Answer):
    """One detection; all but `result` only with details=1. Research only, not a medical device."""

    model_config = ConfigDict(openapi_extra={"content": {"image/png": {}}})  # type: ignore[typeddict-unknown-key]

    result: Literal["Tumor", "No Tumor"]
    probability: float | None = Field(
        default=None, description="calibrated; of the picture, or of the series by the series rule"
    )
    threshold: float | None = Field(default=None, description="from which `probability` on the result is Tumor")
    model: str | None = None
    kind: str | None = Field(default=None, description="png, jpeg, dicom, dicom_zip or nifti")
    plane: str | None = Field(default=None, description="axial, coronal or sagittal, where the upload tells it")
    slices: int | None = None
    declined_slices: int | None = Field(default=None, description="slices that show no brain and do not count")
    slice: int | None = Field(default=None, description="which slice has the largest probability, from 0")
    slice_probability: float | None = None
    brain_probability: float | None = None
    height: int | None = Field(default=None, description="of the slice, in pixels of the upload")
    width: int | None = None
    lesion: Lesion | None = None
    overlay_png: str | None = Field(default=None, description="base64, with overlay=1 as well")


TAG: Final = Tag(name="detector", description="The tumour detector on demand. Research only, not a medical device.")
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {FIELD: {"type": "string", "format": "binary"}},
                "required": [FIELD],
                "additionalProperties": False,
            }
        }
    },
}
_DESCRIBED: Final[dict[str, Any]] = {
    "summary": "Is there a tumour in this scan",
    "responses": {"200": Detection, "413": Problem, "422": Problem},
    "openapi_extensions": {"requestBody": _BODY},
}
api = APIBlueprint("detect", __name__, abp_tags=[TAG])


@api.post("/api/v1/detect", endpoint="detect_v1", **_DESCRIBED)
@api.post("/detect", **_DESCRIBED)
@access(Access.READER, rate=Rate.DETECT)
@takes_body(UPLOAD_BYTES_MAX + _FRAMING_BYTES)
def detect(query: DetectParameters) -> Response:
    """One PNG, JPEG, DICOM file, zip of one DICOM series, or NIfTI (.nii, .nii.gz), told by its content."""
    pool, account_id = detection(), own_id()
    with pool.place(account_id):
        data = _file()
        try:
            answer = pool.detect(data, account_id, overlay=query.overlay == "1")
        except RejectedInput as error:
            audit("detect", outcome=str(error.code), bytes=len(data))
            too_large = error.code in _TOO_LARGE
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.UNPROCESSABLE_ENTITY
            return unkept(problem(status, error.code, error.message))
    audit("detect", outcome="answered", kind=answer.kind, slices=answer.slices, bytes=len(data), model=answer.model)
    return unkept(_response(answer, query))


def _response(answer: Answer, query: DetectParameters) -> Response:
    if query.details == "0" and answer.overlay_png is not None:
        return Response(answer.overlay_png, content_type="image/png")
    if query.details == "0":
        return jsonify({"result": answer.result})
    told = _details(answer).model_dump(mode="json")
    if answer.overlay_png is None:
        del told["overlay_png"]
    return jsonify(told)


def _details(answer: Answer) -> Detection:
    lesion = answer.lesion
    return Detection.of(
        answer,
        slice=answer.peak_slice,
        slice_probability=answer.peak_probability,
        lesion=lesion and {**asdict(lesion), "box": dict(zip(Box.model_fields, lesion.box, strict=True))},
        overlay_png=answer.overlay_png and base64.b64encode(answer.overlay_png).decode("ascii"),
    )


def _file() -> bytes:
    """The one file of the request, read into memory; raises RejectedInput(REQUEST_INVALID)."""
    # flask would write larger files to disk
    parser = FormDataParser(stream_factory=_in_memory, max_form_memory_size=_FRAMING_BYTES, max_form_parts=_PARTS_MAX)
    _, form, files = parser.parse(request.stream, request.mimetype, request.content_length, request.mimetype_params)
    fields = [*form.keys(), *files.keys()]
    if fields != [FIELD] or len(files.getlist(FIELD)) != 1:
        raise RejectedInput(Code.REQUEST_INVALID, f"send one file as multipart/form-data in the field {FIELD!r}")
    stream = files[FIELD].stream
    data = stream.getvalue() if isinstance(stream, BytesIO) else b""
    if not data:
        raise RejectedInput(Code.REQUEST_INVALID, "the file is empty")
    return data


def _in_memory(
    total_content_length: int | None,  # noqa: ARG001 - the signature is werkzeug's
    content_type: str | None,  # noqa: ARG001
    filename: str | None,  # noqa: ARG001
    content_length: int | None = None,  # noqa: ARG001
) -> IO[bytes]:
    return BytesIO()
