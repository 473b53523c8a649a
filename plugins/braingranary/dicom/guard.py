"""The guard before every parser and decoder: budgets, and the walk that holds a file's claims against them."""

from __future__ import annotations

from braingranary.dicom.limits import DEFAULT_LIMITS, DEFAULT_ZIP_LIMITS, Limits, ZipLimits

__all__ = ["DEFAULT_LIMITS", "DEFAULT_ZIP_LIMITS", "Limits", "ZipLimits"]
