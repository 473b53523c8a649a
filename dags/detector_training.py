"""
### Train the tumour detector again

Trains, judges and registers a detector from a folder of data, as `make train` does from the shell. Nothing is activated
unless the form says so, or no model is active yet.

1. `prepare` checks the form, before hours are spent.
2. `train` walks the stages of training, each with its gate. It resumes from its checkpoints, so a retry or a run that
   is run again goes on. Data in which the source, the site or trivial statistics tell the label are refused, with the
   figure.
3. `evaluate` judges on patients that were not trained on and writes the model card into the work folder.
4. `register` puts the weights into the object store and their facts and figures into the registry.

By hand only. Research only: this is not a medical device.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from braingranary.orchestration import policies
from braingranary.orchestration.training import DetectorOperator

PARAMS = {
    "data": Param(
        None,
        type=["null", "string"],
        maxLength=1000,
        title="Folder of the data",
        description="As the worker sees it; braingranary.detector.data.labelled says what must lie in it.",
    ),
    "version": Param(
        None,
        type=["null", "string"],
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        title="Version",
        description="Name of the new model, for example detector-2. A version never changes its weights.",
    ),
    "work": Param(
        None,
        type=["null", "string"],
        maxLength=1000,
        title="Work folder",
        description="For checkpoints, figures and the model card. Empty: detector/<version> in Airflow's home.",
    ),
    "longer": Param(
        1,
        type="integer",
        minimum=1,
        maximum=20,
        title="Times as long",
        description="So many times the epochs that are planned; for a larger machine.",
    ),
    "folds": Param(
        0,
        type="integer",
        minimum=0,
        maximum=10,
        title="Folds of cross-validation",
        description="The truest figures, and the longest run. 0: none.",
    ),
    "new_site": Param(
        False,
        type="boolean",
        title="Judge at new sites",
        description="Train on one hospital as well, and judge on the others; takes as long as training again.",
    ),
    "threads": Param(
        0,
        type="integer",
        minimum=0,
        maximum=256,
        title="Threads",
        description="CPU threads. 0: all.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Train although the audit refuses",
        description="For data whose source or site tells the label. The figure stays in the model card.",
    ),
    "activate": Param(
        False,
        type="boolean",
        title="Activate",
        description="Let the named queries offer this model's word from now on.",
    ),
}


@dag(
    dag_display_name="Train the detector",
    description="Train, judge and register the tumour detector",
    schedule=None,
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    default_args=policies.DEFAULT_ARGS,
    params=PARAMS,
    tags=policies.tags("detector", "training"),
    doc_md=__doc__,
)
def detector_training() -> None:
    @task(doc_md="Checks the form and names the work folder.")
    def prepare() -> dict[str, list[str]]:
        from braingranary.orchestration.steps import train as steps

        return steps.prepare()

    @task(pool=policies.POOL_CATALOG, doc_md="Registers weights, thresholds and figures; activates only when asked.")
    def register() -> dict[str, object]:
        from braingranary.orchestration.steps import train as steps

        return steps.register()

    prepared = prepare()
    train = DetectorOperator(
        task_id="train",
        command="train",
        prepared=prepared,
        pool=policies.POOL_SPARK,
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md="Runs `python -m braingranary.detector train`. Shares the pool of Spark: both want every core.",
    )
    evaluate = DetectorOperator(
        task_id="evaluate",
        command="evaluate",
        prepared=prepared,
        pool=policies.POOL_SPARK,
        execution_timeout=policies.JOB_TIMEOUT,
        doc_md="Runs `python -m braingranary.detector evaluate`, on patients that were not trained on.",
    )
    train >> evaluate >> register()


detector_training()
