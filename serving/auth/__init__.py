"""Policies, limits, identity and terms of use."""
