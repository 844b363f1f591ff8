"""`sightline doctor`: is all there that a pipeline needs, and if not, what is to be done.

It looks at this machine and at the ClearML server that a command here would use, the embedded one
or a remote one, and needs neither. Every finding is one line with one piece of advice.
"""

from agent.doctor.examination import Wanted, examine
from agent.doctor.findings import Finding, Level, exit_code

__all__ = ["Finding", "Level", "Wanted", "examine", "exit_code"]
