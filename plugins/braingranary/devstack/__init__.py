"""The embedded stack behind `make demo`: PostgreSQL, S3, the sample archive, Airflow and the front door."""
