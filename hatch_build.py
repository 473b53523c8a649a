"""Puts sql/ into the wheel beside the library; an editable install reads it from the checkout instead."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SqlHook(BuildHookInterface[Any]):
    """Adds `sql/` as `braingranary/sql_files` where a whole wheel is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; `version` is `editable` for an editable install."""
        if version != "editable":
            build_data["force_include"]["sql"] = "braingranary/sql_files"
