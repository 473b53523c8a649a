"""Blueprints whose views take parameters, checked by their models before the view is called.

Why beside flask-openapi3, which makes the description of the same models: at every request it looks each parameter up
in the JSON schema of its model, which for the filters of a search costs more than finding the page does. Where a view
takes parameters of path and query alone, the model is given what came, and forbids what it does not know. Views that
take more are left to flask-openapi3. Goes in: models as annotations of `path` and `query`. Comes out: their instances.
Fails with 400 that names the parameters; that none is given twice was checked before (`serving.http.request_log`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ValidationError

from serving.http.problems import invalid

View = Callable[..., Any]


class Api(APIBlueprint):
    """A blueprint of the front door."""

    @staticmethod
    def create_view_func(  # type: ignore[no-untyped-def]
        func: View,
        header: type[BaseModel] | None,
        cookie: type[BaseModel] | None,
        path: type[BaseModel] | None,
        query: type[BaseModel] | None,
        *others: Any,
        **named: Any,
    ):
        """What Flask calls for a request to `func`; one for all the routes that lead to it."""
        if header or cookie or any(others):
            return APIBlueprint.create_view_func(func, header, cookie, path, query, *others, **named)
        if not hasattr(func, "view"):
            func.view = _checked(func, path, query)  # type: ignore[attr-defined]
        return func.view  # type: ignore[attr-defined]


def _checked(func: View, path: type[BaseModel] | None, query: type[BaseModel] | None) -> View:
    """`func` behind the checks of its parameters."""
    if path is None and query is None:
        return func

    @wraps(func)
    def view(**values: Any) -> Response:
        given: dict[str, BaseModel] = {}
        try:
            if path is not None:
                given["path"] = path.model_validate(values)
            if query is not None:
                told = request.environ.get("QUERY_STRING")
                given["query"] = query.model_validate(request.args.to_dict() if told else {})
        except ValidationError as error:
            return invalid(error)
        answered: Response = func(**given)
        return answered

    return view
