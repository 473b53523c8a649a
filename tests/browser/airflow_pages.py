"""What an operator does in Airflow's own pages: sign in, trigger an ingest by its form, start a backfill.

Every step leaves a picture in a folder; those of the README were made by the test of these pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.screenshots import keep


@dataclass(frozen=True, kw_only=True)
class AirflowPages:
    """The pages of one Airflow in one browser page."""

    page: Page
    url: str
    pictures: Path

    def sign_in(self, user: str, password: str) -> None:
        """Sign in as `user`."""
        self.page.goto(self.url)
        self.page.get_by_label("Username").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("link", name="Dags").first).to_be_visible()

    def trigger(self, dag_id: str, *, run_id: str, interval: tuple[date, date], **texts: str) -> None:
        """Trigger a run by the form: with a data interval, a run id, and Params that are texts."""
        form = self._form(dag_id)
        form.get_by_text("Specify Manually").click()
        for day in interval:
            self._choose(form, day)
        for name, text in texts.items():
            form.locator(f"[name=element_{name}]").fill(text)
        keep(self.page, self.pictures / "airflow-trigger.png")
        form.get_by_role("button", name="Advanced Options").click()
        form.locator("[name=dagRunId]").fill(run_id)
        form.get_by_role("button", name="Trigger", exact=True).click()
        expect(form).to_be_hidden()

    def backfill(self, dag_id: str, *, first: date, last: date, runs: int) -> None:
        """Start a backfill by the form, which tells before how many runs there will be."""
        form = self._form(dag_id)
        form.get_by_text("Run this Dag for a range of dates").click()
        self._choose(form, first)
        self._choose(form, last)
        expect(form.get_by_text(re.compile(rf"\b{runs} runs?\b"))).to_be_visible()
        keep(self.page, self.pictures / "airflow-backfill.png")
        form.get_by_role("button", name="Run Backfill").click()
        expect(form).to_be_hidden()

    def shows_success(self, dag_id: str, run_id: str) -> None:
        """Wait until the page of a run says that it succeeded."""
        self.page.goto(f"{self.url}/dags/{dag_id}/runs/{run_id}")
        expect(self.page.get_by_text("Success", exact=True).first).to_be_visible()

    def shows_runs(self, dag_id: str) -> None:
        """Look at the grid of a DAG's runs."""
        self.page.goto(f"{self.url}/dags/{dag_id}/runs")
        expect(self.page.get_by_text("Success", exact=True).first).to_be_visible()
        keep(self.page, self.pictures / "airflow-runs.png")

    def _form(self, dag_id: str) -> Locator:
        self.page.goto(f"{self.url}/dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger").first.click()
        form = self.page.locator("[role=dialog][aria-modal=true][data-state=open]")
        expect(form).to_be_visible()
        return form

    def _choose(self, form: Locator, day: date) -> None:
        """Give the date that is the next to be chosen, at midnight; what is chosen no longer asks for it."""
        form.get_by_text("Select date and time").first.click()
        self.page.get_by_placeholder("YYYY/MM/DD").last.fill(day.strftime("%Y/%m/%d"))
        self.page.get_by_placeholder("HH:mm").last.fill("00:00")
        self.page.get_by_placeholder("HH:mm").last.press("Enter")
