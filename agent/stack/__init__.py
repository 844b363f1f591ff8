"""The local stack: the embedded server and real agents on this machine.

`up` starts it, `status` looks at it, `logs` reads it, `down` ends it; `activate` points ClearML
at it. Everything lies in one state folder (`find_home`). Importing this loads nothing heavy.
"""

from agent.stack.activation import ActiveServer, activate, active_server, is_local
from agent.stack.console import logs
from agent.stack.credentials import Credentials, environment_lines, load_credentials
from agent.stack.ending import DownReport, down
from agent.stack.errors import StackError
from agent.stack.home import StackHome, find_home
from agent.stack.overview import (
    AgentStatus,
    QueueStatus,
    ServerStatus,
    StackStatus,
    TaskLine,
    status,
)
from agent.stack.starting import UpReport, restart_agent, up

__all__ = [
    "ActiveServer",
    "AgentStatus",
    "Credentials",
    "DownReport",
    "QueueStatus",
    "ServerStatus",
    "StackError",
    "StackHome",
    "StackStatus",
    "TaskLine",
    "UpReport",
    "activate",
    "active_server",
    "down",
    "environment_lines",
    "find_home",
    "is_local",
    "load_credentials",
    "logs",
    "restart_agent",
    "status",
    "up",
]
