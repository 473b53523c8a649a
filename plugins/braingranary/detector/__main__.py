"""`python -m braingranary.detector`: train, judge, write the card; each step resumes and can be run alone.

`train` walks the stages and leaves `one_hospital.safetensors` and `all.safetensors` in the work folder; `evaluate`
judges them, with `--folds` also by cross-validation, which is the long run, and writes `evaluation.json` and the model
card; `ship` puts the model with its pin into the library. Exits with 1 and a coded message on bad data, 2 on bad usage.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import torch
from PIL import Image
from rich.progress import Progress, TaskID

from braingranary.detector import workflow
from braingranary.detector.card import Evaluation, card, failure_gallery
from braingranary.detector.data import read_all
from braingranary.detector.evaluate import GroupReport, decline_report
from braingranary.detector.weights import SHIPPED, Model, assemble, load, pack, ship
from braingranary.errors import GranaryError

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANY = click.Path(path_type=Path)
EVALUATION = "evaluation.json"


@click.group()
@click.option("--threads", default=0, help="CPU threads of torch; 0 takes all.")
def main(threads: int) -> None:
    """Train and judge the tumour detector."""
    if threads:
        torch.set_num_threads(threads)


@main.command("train")
@click.argument("data", type=FOLDER)
@click.argument("work", type=ANY)
@click.option("--version", required=True, help="Name of the model, for example detector-1.")
@click.option("--longer", default=1, help="Times as many epochs as the stages plan: for a larger machine.")
@click.option("--loaders", default=0, help="Threads that make batches ahead; worth it with a GPU.")
@click.option("--force", is_flag=True, help="Train although the confound audit refuses.")
@click.option("--pause-file", type=ANY, help="Training waits while this file exists.")
def train_command(
    data: Path, work: Path, *, version: str, longer: int, loaders: int, force: bool, pause_file: Path | None
) -> None:
    """Train every stage on DATA, resuming in WORK."""
    slices = tuple(read_all(data))
    bank = workflow.bank_of(slices, work)
    with Progress() as progress:
        for planned in workflow.STAGES:
            stage = replace(planned, plan=replace(planned.plan, epochs=planned.plan.epochs * longer))
            workflow.audit_stage(bank, stage, force=force)
            task = progress.add_task(stage.name, total=stage.plan.steps)
            network = workflow.run_stage(
                bank,
                stage,
                work,
                loaders=loaders,
                pause_file=pause_file,
                progress=partial(_advance, progress, task),
            )
            name = version if planned is workflow.STAGES[-1] else f"{version}-{stage.name}"
            model = workflow.finish(network, slices, stage, work, version=name, data_sha256=bank.sha256())
            (work / f"{stage.name}.safetensors").write_bytes(pack(model.network, model.facts))
            (work / f"{stage.name}.sha256").write_text(model.sha256)


@main.command("evaluate")
@click.argument("data", type=FOLDER)
@click.argument("work", type=ANY)
@click.option("--card", "card_path", type=ANY, help="Where the model card goes, its picture beside it.")
@click.option("--folds", default=0, help=f"Cross-validate over so many patient groups, for example {workflow.FOLDS}.")
def evaluate_command(data: Path, work: Path, card_path: Path | None, folds: int) -> None:
    """Judge the models in WORK on the patients of DATA that they did not see."""
    slices = tuple(read_all(data))
    bank = workflow.bank_of(slices, work)
    first, last = (_model(work, stage.name) for stage in workflow.STAGES)
    cross_validated: tuple[GroupReport, ...] = ()
    if folds:
        with Progress() as progress:
            tell = partial(_advance, progress, progress.add_task("folds", total=folds * workflow.FOLD_PLAN.steps))
            cross_validated = workflow.cross_validate(bank, slices, work, folds=folds, progress=tell)
    evaluation = Evaluation(
        version=last.facts.version,
        sha256=last.sha256,
        data_sha256=last.facts.data_sha256,
        test=workflow.judge_test(last, slices),
        new_site=workflow.judge_new_site(first, slices),
        cross_validated=cross_validated,
        declines=decline_report(last.network, last.facts.calibration),
        audits=tuple(workflow.audit_stage(bank, stage, force=True) for stage in workflow.STAGES),
    )
    (work / EVALUATION).write_text(evaluation.as_json())
    text = card(evaluation, last)
    if card_path is not None:
        card_path.write_text(text)
        template = [item.pictures[0] for item in slices if item.source == "mni152"][::4]
        Image.fromarray(failure_gallery(last, template)).save(card_path.with_name(f"{card_path.stem}-failures.png"))
    click.echo(text)


@main.command("ship")
@click.argument("work", type=ANY)
def ship_command(work: Path) -> None:
    """Put the last stage's model of WORK into the library and pin its hash, with its figures for the registry."""
    click.echo(ship(_model(work, workflow.STAGES[-1].name)))
    figures = work / EVALUATION
    if figures.is_file():
        shutil.copyfile(figures, SHIPPED / EVALUATION)


def _advance(progress: Progress, task: TaskID, _stage: str, step: int, _steps: int) -> None:
    progress.update(task, completed=step)


def _model(work: Path, name: str) -> Model:
    model = load(work / f"{name}.safetensors", (work / f"{name}.sha256").read_text().strip())
    return assemble(model.network, model.facts)


if __name__ == "__main__":
    try:
        main()
    except GranaryError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
