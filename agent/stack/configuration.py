"""The `clearml.conf` of clients and of agents, and the agents' own git configuration."""

from __future__ import annotations

import json
from pathlib import Path

from agent.stack.credentials import Credentials


def client_configuration(url: str, credentials: Credentials, cache: Path) -> str:
    """The `clearml.conf` with which a script on this machine uses the server.

    Args:
        url: Base URL of the server.
        credentials: Its key pair.
        cache: Folder for what the SDK downloads.
    """
    text = json.dumps  # a JSON string is a HOCON string with nothing in it substituted
    return f"""\
# Written by `sightline up`. Any ClearML script uses the local server with
#   export CLEARML_CONFIG_FILE=<this file>
api {{
    api_server: {text(url)}
    web_server: {text(url)}
    files_server: {text(url + "/files")}
    credentials {{
        access_key: {text(credentials.access_key)}
        secret_key: {text(credentials.secret_key)}
    }}
    http.retries {{
        # The default waits up to 120 s between two tries; a local server is back in a second.
        total: 720
        connect: 720
        read: 720
        backoff_factor: 0.3
        backoff_max: 5.0
    }}
}}
sdk {{
    storage.cache.default_base_dir: {text(str(cache))}
    development {{
        # With the subprocess a task hangs, or loses 11 s, at its end on a fast server.
        report_use_subprocess: false
        default_output_uri: {text(url + "/files")}
        suppress_update_message: true
    }}
}}
"""


def agent_configuration(
    url: str, credentials: Credentials, cache: Path, *, folder: Path, vcs_cache: Path, host: str
) -> str:
    """The `clearml.conf` of one agent; it hands it to its tasks.

    Args:
        url: Base URL of the server.
        credentials: Its key pair.
        cache: Folder for what the SDK downloads.
        folder: The agent's own folder; it may not contain white space.
        vcs_cache: Clones of repositories, shared by the agents of a stack (they lock it).
        host: Name of this machine.
    """
    text = json.dumps
    own = {
        key: text(str(folder / name))
        for key, name in {
            "venvs_dir": "code",
            "venvs_cache": "venvs-cache",
            "pip_download": "pip-download-cache",
            "docker_pip": "docker/pip",
            "docker_apt": "docker/apt",
            "bootstrap": "bootstrap",
        }.items()
    }
    return (
        client_configuration(url, credentials, cache)
        + f"""\
agent {{
    worker_name: {text(host)}
    # The environment is reused, so this holds only the checked-out code.
    venvs_dir: {own["venvs_dir"]}
    venvs_cache.path: {own["venvs_cache"]}
    vcs_cache {{
        enabled: true
        path: {text(str(vcs_cache))}
        # A repository that was rewritten, or moved, since.
        clone_on_pull_fail: true
    }}
    pip_download_cache {{
        enabled: false
        path: {own["pip_download"]}
    }}
    docker_pip_cache: {own["docker_pip"]}
    docker_apt_cache: {own["docker_apt"]}
    package_manager.type: pip
    bootstrap {{
        use_bootstrap: false
        host_bootstrap_dir: {own["bootstrap"]}
    }}
    # No call to the outside at each start.
    disable_agent_update_check: true
}}
"""
    )


def git_configuration(user_config: Path | None) -> str:
    """The agents' global git configuration; the agent writes to it, and not to the user's.

    Args:
        user_config: The user's own file, read first for its credential helpers and URL rewrites.
    """
    include = f"[include]\n\tpath = {json.dumps(str(user_config))}\n" if user_config else ""
    # Agents clone file:// repositories, which may belong to another user.
    return include + "[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n"
