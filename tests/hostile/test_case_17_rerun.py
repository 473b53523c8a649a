"""Case 17: the same DAG runs, run three times, leave object store and catalogue as one run left them."""

from __future__ import annotations

import pytest

from tests.e2e.demo import DemoStack

pytestmark = [pytest.mark.hostile, pytest.mark.e2e, pytest.mark.timeout(3600)]


def test_case_17_dags_run_three_times_change_nothing(demo_stack: DemoStack) -> None:
    changes: list[str] = []
    reruns = 0
    with demo_stack.airflow() as api:
        runs = [run for dag in ("tcia_ingest", "normalize", "catalog_load") for run in api.runs(dag)]
        runs = [run for run in runs if not run.run_id.startswith("scheduled")]
        assert {run.dag_id for run in runs} == {"tcia_ingest", "normalize", "catalog_load"}
        # An ingest that brought nothing wakes nobody: the next load adds its row, whoever triggered it.
        assert demo_stack.rerun(api, next(run for run in runs if run.dag_id == "catalog_load")).state == "success"
        before = demo_stack.snapshot()
        for _ in range(2):  # together with the demo's own: three
            for run in runs:
                assert demo_stack.rerun(api, run).state == "success"
                reruns += 1
            changes += before.changes(demo_stack.snapshot())
    print(f"case 17 rerun: changes={len(changes)} reruns={reruns} objects={len(before.objects)}")
    assert changes == []
