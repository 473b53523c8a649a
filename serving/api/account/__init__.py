"""Accounts, sign-in and accepted terms of use."""
