"""What gunicorn loads: `serving.wsgi:app`, made from the environment."""

from __future__ import annotations

from serving import logs
from serving.app import create_app

logs.configure()
app = create_app()
