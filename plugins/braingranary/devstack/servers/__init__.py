"""Servers of the embedded stack, each a process under one state folder: PostgreSQL, S3, Airflow, the front door."""
