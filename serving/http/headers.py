"""Headers that tell browsers to be careful, on every answer that does not say otherwise itself.

Put on outside the application, where an answer's headers are a plain list: asking Flask for each of them by name costs
more than many a view. Goes in: a WSGI application. Comes out: one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS: Final = {
    # Nothing inline and nothing from elsewhere: a description that smuggles a script in finds nobody to run it.
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HSTS: Final = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
_PLAIN: Final = tuple(HEADERS.items())
_SECURE: Final = (*_PLAIN, HSTS)
_NAMES: Final = {name.lower() for name, _ in _SECURE}


class SecurityHeaders:
    """An application with the headers added; it stands behind whoever tells whether a request came by TLS."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        added = _SECURE if environ.get("wsgi.url_scheme") == "https" else _PLAIN

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            own = {name.lower() for name, _ in headers} & _NAMES
            more = [header for header in added if header[0].lower() not in own] if own else added
            return start_response(status, [*headers, *more], exc_info)

        return self._application(environ, start)
