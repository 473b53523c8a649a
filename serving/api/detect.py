"""`POST /detect`: is there a tumour in this picture, slice or series.

Goes in: one file as multipart field `file`, of any of the kinds that `detector.uploads` knows. Comes out: exactly
`{"result": "Tumor"}` or `{"result": "No Tumor"}`, more on request, or a problem with the code of what was refused.

A place among the detections is taken before the body is read, the body stays in memory, and nothing of it is stored,
logged or audited; nor is the result, which may be about the one who asks.
"""

from __future__ import annotations

import base64
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any, Final

from flask import Response, jsonify, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from werkzeug.formparser import FormDataParser

from braingranary.detector.contracts.detection import Answer
from braingranary.errors import Code, RejectedInput
from serving.api import schemas_detect
from serving.api.schemas import Problem
from serving.api.schemas_detect import DetectParameters
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
    "responses": {"200": schemas_detect.Detection, "413": Problem, "422": Problem},
    "openapi_extensions": {"requestBody": _BODY},
}
api = APIBlueprint("detect", __name__, abp_tags=[TAG])


@api.post("/api/v1/detect", endpoint="detect_v1", **_DESCRIBED)
@api.post("/detect", **_DESCRIBED)
@access(Access.READER, rate=Rate.DETECT)
@takes_body(UPLOAD_BYTES_MAX + _FRAMING_BYTES)
def detect(query: DetectParameters) -> Response:
    """One PNG, JPEG, DICOM file, zip of one DICOM series, or NIfTI (.nii, .nii.gz), told by its content."""
    pool = detection()
    with pool.place():
        data = _file()
        try:
            answer = pool.detect(data, overlay=query.overlay == "1")
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


def _details(answer: Answer) -> schemas_detect.Detection:
    lesion = None
    if answer.lesion is not None:
        top, left, bottom, right = answer.lesion.box
        lesion = schemas_detect.Lesion(
            box=schemas_detect.Box(top=top, left=left, bottom=bottom, right=right),
            area_px=answer.lesion.area_px,
            area_mm2=answer.lesion.area_mm2,
        )
    drawn = None if answer.overlay_png is None else base64.b64encode(answer.overlay_png).decode("ascii")
    return schemas_detect.Detection(
        result=answer.result,
        probability=answer.probability,
        threshold=answer.threshold,
        model=answer.model,
        kind=answer.kind,
        plane=answer.plane,
        slices=answer.slices,
        declined_slices=answer.declined_slices,
        slice=answer.peak_slice,
        slice_probability=answer.peak_probability,
        brain_probability=answer.brain_probability,
        height=answer.height,
        width=answer.width,
        lesion=lesion,
        overlay_png=drawn,
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
