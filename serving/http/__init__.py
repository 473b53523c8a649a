"""Responses, errors, headers, ranges, logs and metrics shared by all routes."""
