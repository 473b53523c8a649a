"""Loading published runs into PostgreSQL: COPY into staging, checks and merge in one transaction."""
