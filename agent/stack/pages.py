"""The server's pages: which it shows, and how a browser gets there logged in."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.errors import StackError
from agent.stack.home import StackHome, find_home, write_private
from agent.stack.state import load_state

OWN_PAGE = "none"
"""Names the server's own page where a folder is expected."""

_TASK_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class LoginLink:
    """A link that logs a browser in.

    Attributes:
        url: The link; it works once.
        page: The page that it leads to.
        minutes: How long it waits.
    """

    url: str
    page: str
    minutes: int


def check_webapp(webapp: Path | str | None) -> str | None:
    """The folder of a built web application, as an absolute path; empty for the server's own page.

    Raises:
        StackError: There is no such folder, or no web application in it.
    """
    if webapp is None:
        return None
    if str(webapp) == OWN_PAGE:
        return ""
    folder = Path(webapp).expanduser().absolute()
    if not folder.is_dir():
        raise StackError(f"--webapp: no folder {folder}")
    if not any((folder / name / "index.html").is_file() for name in ("", "html", "build", "dist")):
        raise StackError(
            f"--webapp: no index.html in {folder}, so it isn't a built web application; how to "
            'take one out of the clearml/server image: README.md, "ClearML\'s web application"'
        )
    return str(folder)


def login_link(*, home: Path | str | None = None, task: str | None = None) -> LoginLink:
    """A link with which a browser logs in once.

    Args:
        home: The state folder; see `find_home`.
        task: Id or name of the task whose page it leads to; the first page otherwise.

    Raises:
        StackError: The stack isn't up, or there is no such task.
    """
    place = find_home(home)
    state = load_state(place)
    if state is None:
        raise StackError(f"no stack in {place.root}; run: sightline up")
    with Api(state.url, load_credentials(place)) as api:
        page = _page(api, task) if task else "/"
        made = api.call("web.create_code")
    # After the hash: browsers keep that part to themselves.
    answer = urlencode({"code": made["code"], "to": page}, quote_via=quote, safe="")
    url = f"{state.url}/web/link.html#{answer}"
    return LoginLink(url, f"{state.url}{page}", int(made["seconds"]) // 60)


def show(*, home: Path | str | None = None, task: str | None = None) -> str:
    """Open the server's page in a browser, logged in; returns the page's address.

    The link goes by a private file: other users see the arguments of a browser's process.

    Raises:
        StackError: The stack isn't up, there is no such task, or no browser.
    """
    import webbrowser

    place = find_home(home)
    link = login_link(home=home, task=task)
    try:
        browser = webbrowser.get()
    except webbrowser.Error as error:
        raise StackError(
            f"no browser on this machine; open {link.page} in one, or get a link that logs in "
            "with: sightline open --link"
        ) from error
    browser.open(_redirection(place, link.url).as_uri())
    return link.page


def _redirection(home: StackHome, url: str) -> Path:
    path = home.root / "open.html"
    target = html.escape(url, quote=True)
    write_private(
        path,
        '<!doctype html><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="0; url={target}">'
        f'<title>Sightline</title><a href="{target}">Go on</a>\n',
    )
    return path


def _page(api: Api, task: str) -> str:
    fields = ["id", "project", "type", "system_tags"]
    by_id = _TASK_ID.fullmatch(task)
    found = api.call(
        "tasks.get_all",
        **({"id": [task]} if by_id else {"name": f"^{re.escape(task)}$"}),
        only_fields=fields,
        search_hidden=True,
        order_by=["-last_update"],
        page=0,
        page_size=1,
    ).get("tasks", [])
    if not found:
        raise StackError(f"no task {task!r}; the tasks are listed by: sightline status")
    one = found[0]
    pipeline = one.get("type") == "controller" and "pipeline" in one.get("system_tags", [])
    place = "pipelines" if pipeline else "projects"
    return f"/{place}/{one.get('project') or '*'}/tasks/{one['id']}"
