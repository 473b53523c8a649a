"""Where Spark jobs run: local, standalone, and later EMR."""
