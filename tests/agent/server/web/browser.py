"""A real browser, and what tests do with it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1400,1000",
)  # fmt: skip


def installed() -> tuple[str, str] | None:
    """The programs of the browser and of its driver, if both are here."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """A headless Chromium at one server's pages."""

    def __init__(self, folder: Path) -> None:
        programs = installed()
        assert programs is not None
        options = webdriver.ChromeOptions()
        for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(option)
        options.binary_location = programs[0]
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(self.downloads)}
        )
        self.driver = webdriver.Chrome(options=options, service=Service(programs[1]))
        self.url = ""

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.url)

    def wait(self, look: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """Wait until a look finds something; returns that."""
        end = time.monotonic() + seconds
        while True:
            try:
                found = look()
            except StaleElementReferenceException:  # drawn anew meanwhile
                found = None
            if found:
                return found
            if time.monotonic() > end:
                text = self.driver.find_element(By.TAG_NAME, "body").text
                raise AssertionError(f"never seen: {what}; the page shows:\n{text[:3000]}")
            time.sleep(0.05)

    def all(self, css: str, text: str | None = None) -> list[Any]:
        found = self.driver.find_elements(By.CSS_SELECTOR, css)
        return [one for one in found if text is None or text in one.text]

    def one(self, css: str, text: str | None = None) -> Any:
        """The first element of its kind that is visible, once there is one."""

        def look() -> Any:
            return next((one for one in self.all(css, text) if one.is_displayed()), None)

        return self.wait(look, f"{css} {text or ''}")

    def gone(self, css: str, text: str | None = None) -> None:
        self.wait(lambda: not self.all(css, text), f"no {css} {text or ''}")

    def click(self, css: str, text: str | None = None) -> None:
        def act() -> bool:
            self.one(css, text).click()
            return True

        self.wait(act, f"click on {css} {text or ''}")

    def fill(self, css: str, value: str) -> None:
        field = self.one(css)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value)

    def menu(self, button: str, item: str) -> None:
        self.click(f"button[aria-haspopup][aria-label='{button}']")
        self.click("[role=menuitem]", item)

    def act(self, title: str, button: str) -> None:
        """Say yes to a dialog."""
        self.one("dialog h2", title)
        self.click("dialog footer button", button)
        self.gone("dialog")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """What the browser has complained about since the last look."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def requested(self) -> list[str]:
        """The addresses that were asked for since the last look."""
        events = (
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        )
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
