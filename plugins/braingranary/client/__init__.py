"""Python clients of the REST APIs: the front door's and Airflow's."""
