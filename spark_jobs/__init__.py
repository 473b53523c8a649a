"""Spark jobs: thin mains, run by spark-submit by path."""
