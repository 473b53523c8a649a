"""Profiles, parts and jobs: names follow content, JSON comes back, wrong values are refused."""

from __future__ import annotations

import pytest

from braingranary.errors import Code, ConfigurationError, RejectedInput
from braingranary.normalization.job import NormalizeJob
from braingranary.normalization.parts import PartResult, PublishedRun, part_name
from braingranary.normalization.plan import PendingSeries, batches
from braingranary.normalization.profile import DEFAULT_PROFILE, Profile
from braingranary.storage.location import StoreLocation

CHANGES: list[dict[str, float]] = [
    {"low_percentile": 1.0},
    {"high_percentile": 99.0},
    {"tissue_fraction": 0.2},
    {"air_sigmas": 5.0},
    {"jpeg_quality": 91},
    {"isotropy_limit": 3.0},
    {"reformat_slices": 49},
    {"algorithm": 99},
]


def changed(values: dict[str, float]) -> Profile:
    return Profile(**values)  # type: ignore[arg-type]


def test_profile_name_changes_with_every_value() -> None:
    names = [changed(values).name for values in CHANGES]
    assert DEFAULT_PROFILE.name == "v1"
    assert len({*names, "v1"}) == len(CHANGES) + 1
    assert {key for values in CHANGES for key in values} == set(DEFAULT_PROFILE.values())


def test_profile_comes_back_from_json_with_its_name() -> None:
    for values in ({}, *CHANGES):
        profile = changed(values)
        assert Profile.from_json(profile.to_json()) == profile
        assert Profile.from_json(profile.to_json()).name == profile.name


@pytest.mark.parametrize(
    "values",
    [
        {"low_percentile": 99.6},
        {"high_percentile": 101.0},
        {"jpeg_quality": 0},
        {"isotropy_limit": 0.5},
        {"reformat_slices": -1},
        {"tissue_fraction": 1.0},
        {"air_sigmas": 0.0},
    ],
)
def test_profile_value_out_of_range_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        changed(values)


@pytest.mark.parametrize("text", ["[]", "{", '{"unknown": 1}', '{"jpeg_quality": "x"}'])
def test_profile_from_wrong_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Profile.from_json(text)


def test_part_name_depends_on_keys_and_profile_not_on_order() -> None:
    assert part_name(["a", "b"], DEFAULT_PROFILE) == part_name(["b", "a"], DEFAULT_PROFILE)
    assert part_name(["a"], DEFAULT_PROFILE) != part_name(["a", "b"], DEFAULT_PROFILE)
    assert part_name(["a"], DEFAULT_PROFILE) != part_name(["a"], Profile(jpeg_quality=80))


def test_published_run_comes_back_from_json_and_adds_up() -> None:
    parts = tuple(
        PartResult(part=name, raw_keys=(name,), tables={"series": f"{name}.parquet"}, rows={"series": 2, "packs": 3})
        for name in "ab"
    )
    run = PublishedRun(run="r", profile="v1", parts=parts)
    assert PublishedRun.from_json(run.to_json()) == run
    assert run.rows == {"series": 4, "packs": 6}
    assert PartResult.from_json(parts[0].to_json()) == parts[0]


@pytest.mark.parametrize("text", [b"", b"{}", b'{"run": 1}'])
def test_published_run_from_wrong_json_is_rejected(text: bytes) -> None:
    for kind in (PublishedRun, PartResult):
        with pytest.raises(RejectedInput) as caught:
            kind.from_json(text)
        assert caught.value.code is Code.MANIFEST_INVALID


def test_job_comes_back_from_json_without_credentials() -> None:
    job = NormalizeJob(
        run="r",
        store=StoreLocation(bucket="b", endpoint_url="http://127.0.0.1:1"),
        series=(PendingSeries(raw_key="k", zip_bytes=3),),
        profile=Profile(jpeg_quality=80),
    )
    assert NormalizeJob.from_json(job.to_json()) == job
    assert b"secret" not in job.to_json()
    with pytest.raises(ConfigurationError):
        NormalizeJob.from_json(b"{}")


def test_batches_are_about_equal_and_largest_first() -> None:
    series = [PendingSeries(raw_key=f"k{n:03d}", zip_bytes=(n * 37 % 50 + 1) * 1_000_000) for n in range(100)]
    size = {one.raw_key: one.zip_bytes for one in series}
    made = batches(series, batch_bytes=96_000_000)
    weights = [sum(size[key] for key in batch) for batch in made]
    assert sorted(key for batch in made for key in batch) == sorted(size)
    assert weights == sorted(weights, reverse=True)
    assert max(weights) <= 1.15 * min(weights)
    assert made == batches(series[::-1], batch_bytes=96_000_000)


def test_batches_give_every_worker_something_to_do() -> None:
    series = [PendingSeries(raw_key=f"k{n}", zip_bytes=10) for n in range(7)]
    assert len(batches(series, batches_min=4)) == 4
    assert len(batches(series, batches_min=50)) == 7
    assert len(batches(series, batches_min=5, multiple_of=2)) == 6
    assert batches([], batches_min=4) == ()
