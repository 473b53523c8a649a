"""What gunicorn loads: `serving.wsgi:app`, made from the environment."""

from __future__ import annotations

from serving.app import create_app
from serving.http import logs

logs.configure()
app = create_app()
