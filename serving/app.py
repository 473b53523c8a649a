"""The application factory of the front door.

Goes in: settings (from the environment by default). Comes out: a Flask application whose API describes itself as
OpenAPI 3.1 at /api/v1/openapi.json. Fails with ConfigurationError when a setting is missing.
"""

from __future__ import annotations

from flask_openapi3.openapi import OpenAPI

from braingranary import settings
from serving.api import (
    collections,
    detect,
    downloads,
    facets,
    health,
    lineage,
    pipeline,
    predictions,
    queries,
    series,
    studies,
    subjects,
)
from serving.api.account import accounts, authorization, terms
from serving.api.pictures import images, slices, volumes
from serving.api.schemas import Problem
from serving.auth import policies
from serving.auth.identity import Identity
from serving.auth.limits import Limits
from serving.extensions import Services
from serving.http import openapi, problems, request_log
from serving.http.headers import SecurityHeaders
from serving.http.proxies import TrustedProxies
from serving.web import docs, front, pages

RESOURCES = (
    accounts.api,
    authorization.api,
    collections.api,
    detect.api,
    docs.api,
    downloads.api,
    facets.api,
    front.api,
    health.api,
    images.api,
    lineage.api,
    pages.api,
    pipeline.api,
    predictions.api,
    queries.api,
    series.api,
    slices.api,
    studies.api,
    subjects.api,
    terms.api,
    volumes.api,
)


def create_app(
    *,
    catalog: settings.CatalogSettings | None = None,
    store: settings.StoreSettings | None = None,
    serving: settings.ServingSettings | None = None,
    accounts: settings.AccountsSettings | None = None,
    limits: settings.LimitsSettings | None = None,
) -> OpenAPI:
    """A new application; it opens no connection before its first request or `Services.open`."""
    app = OpenAPI(
        "serving.web",
        info=openapi.INFO,
        security_schemes=openapi.SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=problems.invalid,
        doc_ui=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.filters["thousands"] = lambda number: f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    serving = serving or settings.load_serving_settings()
    app.extensions["granary"] = service = Services(
        catalog=catalog or settings.load_catalog_settings(),
        store=store or settings.load_store_settings(),
        serving=serving,
        identity=Identity(accounts or settings.load_accounts_settings()),
    )
    bounds = Limits(limits or settings.load_limits_settings())
    service.readiness.add("limits", bounds.check_store, fallback=True)
    app.config["TRUSTED_HOSTS"] = list(serving.trusted_hosts)
    app.wsgi_app = TrustedProxies(  # type: ignore[method-assign]
        SecurityHeaders(app.wsgi_app), serving.trusted_proxies, hops=serving.proxy_hops
    )
    request_log.register(app, service)
    bounds.register(app)
    policies.register(app, bounds.count)
    problems.register(app)
    for api in RESOURCES:
        app.register_api(api)
    app.url_map.update()  # sorted here, once, rather than by the first request of every worker
    return app
