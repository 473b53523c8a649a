"""What the tasks of the DAGs do: each function reads its DAG run's context and hands over to the library.

Imported when a task runs, never when a DAG is parsed.
"""
