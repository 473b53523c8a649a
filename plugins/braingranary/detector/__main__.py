"""`python -m braingranary.detector`: train, judge, write the card; each step resumes and can be run alone.

`train` leaves `all.safetensors` in the work folder; `evaluate` judges it, with `--new-site` also by a model of one
hospital and with `--folds` by cross-validation, which it trains as long as what ships and keeps in the work folder, and
writes `evaluation.json` and the model card; `ship` puts the model with its pin into the library; `card` writes the card
of what ships once more. Exits with 1 and a coded message on bad data, 2 on bad usage.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click
import torch
from PIL import Image
from rich.progress import Progress

from braingranary.detector.contracts.model_metadata import SHIPPED
from braingranary.detector.data.labelled import read_all
from braingranary.detector.evaluation.evaluate import GroupReport, decline_report
from braingranary.detector.evaluation.model_card import Evaluation, card, failure_gallery
from braingranary.detector.model.weights import Model, assemble, load, load_shipped, pack, ship
from braingranary.detector.training import workflow
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


def _longer(command: Callable[..., None]) -> Callable[..., None]:
    text = "Times as many epochs as are planned: for a larger machine."
    return click.option("--longer", default=1, help=text)(command)


@main.command("train")
@click.argument("data", type=FOLDER)
@click.argument("work", type=ANY)
@click.option("--version", required=True, help="Name of the model, for example detector-1.")
@_longer
@click.option("--loaders", default=0, help="Threads that make batches ahead; worth it with a GPU.")
@click.option("--force", is_flag=True, help="Train although the confound audit refuses.")
@click.option("--pause-file", type=ANY, help="Training waits while this file exists.")
def train_command(
    data: Path, work: Path, *, version: str, longer: int, loaders: int, force: bool, pause_file: Path | None
) -> None:
    """Train what ships on DATA, resuming in WORK."""
    slices = tuple(read_all(data))
    cache = workflow.cache_of(slices, work)
    stage = workflow.longer(workflow.ALL, longer)
    workflow.audit_stage(cache, stage, force=force)
    with Progress() as progress:
        network = workflow.run_stage(
            cache,
            stage,
            work,
            loaders=loaders,
            pause_file=pause_file,
            progress=_progress_of(progress, stage.name, stage.plan.steps),
        )
    model = workflow.finish(network, slices, stage, work, version=version, data_sha256=cache.sha256())
    (work / f"{stage.name}.safetensors").write_bytes(pack(model.network, model.metadata))
    (work / f"{stage.name}.sha256").write_text(model.sha256)


@main.command("evaluate")
@click.argument("data", type=FOLDER)
@click.argument("work", type=ANY)
@click.option("--card", "card_path", type=ANY, help="Where the model card goes, its picture beside it.")
@click.option("--new-site", is_flag=True, help="Train on one hospital as well, and judge on the others.")
@click.option("--folds", default=0, help=f"Cross-validate over so many patient groups, for example {workflow.FOLDS}.")
@_longer
def evaluate_command(
    data: Path, work: Path, *, card_path: Path | None, new_site: bool, folds: int, longer: int
) -> None:
    """Judge the model in WORK on the patients of DATA that it did not see."""
    slices = tuple(read_all(data))
    cache = workflow.cache_of(slices, work)
    model = _model(work)
    elsewhere: tuple[GroupReport, ...] = ()
    cross_validated: tuple[GroupReport, ...] = ()
    stage = workflow.longer(workflow.ONE_HOSPITAL, longer)
    with Progress() as progress:
        if new_site:
            network = workflow.run_stage(
                cache, stage, work, progress=_progress_of(progress, stage.name, stage.plan.steps)
            )
            version = f"{model.metadata.version}-{stage.name}"
            judge = workflow.finish(network, slices, stage, work, version=version, data_sha256=cache.sha256())
            elsewhere = workflow.judge_new_site(judge, slices)
        if folds:
            plan = workflow.FOLD_PLAN.longer(longer)
            tell = _progress_of(progress, "folds", folds * plan.steps)
            cross_validated = workflow.cross_validate(cache, slices, work, plan=plan, folds=folds, progress=tell)
    audited = (workflow.ALL, workflow.ONE_HOSPITAL) if new_site else (workflow.ALL,)
    evaluation = Evaluation(
        version=model.metadata.version,
        sha256=model.sha256,
        data_sha256=model.metadata.data_sha256,
        test=workflow.judge_test(model, slices),
        new_site=elsewhere,
        cross_validated=cross_validated,
        declines=decline_report(model),
        audits=tuple(workflow.audit_stage(cache, one, force=True) for one in audited),
    )
    (work / EVALUATION).write_text(evaluation.as_json())
    text = card(evaluation, model)
    if card_path is not None:
        card_path.write_text(text)
        template = [item.pictures[0] for item in slices if item.source == "mni152"][::4]
        Image.fromarray(failure_gallery(model, template)).save(card_path.with_name(f"{card_path.stem}-failures.png"))
    click.echo(text)


@main.command("card")
@click.argument("path", type=ANY)
def card_command(path: Path) -> None:
    """Write the card of the shipped model to PATH, from the figures that ship with it."""
    path.write_text(card(Evaluation.from_json((SHIPPED / EVALUATION).read_text()), load_shipped()))


@main.command("ship")
@click.argument("work", type=ANY)
def ship_command(work: Path) -> None:
    """Put the model of WORK into the library and pin its hash, with its figures for the registry."""
    click.echo(ship(_model(work)))
    figures = work / EVALUATION
    if figures.is_file():
        shutil.copyfile(figures, SHIPPED / EVALUATION)


def _progress_of(progress: Progress, name: str, steps: int) -> workflow.Progress:
    task = progress.add_task(name, total=steps)
    return lambda _, step, __: progress.update(task, completed=step)


def _model(work: Path) -> Model:
    name = workflow.ALL.name
    model = load(work / f"{name}.safetensors", (work / f"{name}.sha256").read_text().strip())
    return assemble(model.network, model.metadata)


if __name__ == "__main__":
    try:
        main()
    except GranaryError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
