"""The only rooms that know Airflow: Connections to settings, assets, policies, the Spark runner, the steps of DAGs."""
