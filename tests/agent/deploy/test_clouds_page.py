"""The page about clouds: what it says of ClearML's autoscaler is what the SDK takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PAGE = Path(__file__).parents[3] / "agent" / "deploy" / "CLOUDS.md"


def test_the_autoscaler_takes_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    from clearml.automation import aws_driver, cloud_driver
    from clearml.automation.auto_scaler import ScalerConfig

    class Session:
        """Stands for the server: only its addresses are asked for."""

        access_key = "KEY"
        secret_key = "SECRET"

        def __getattr__(self, name: str) -> Any:
            return lambda: f"http://{name}"

    monkeypatch.setattr(cloud_driver, "Session", Session)
    config = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])  # type: ignore[index]
    scaler = ScalerConfig.from_config(config)
    driver = aws_driver.AWSDriver.from_config(config)
    assert driver.creds() == {"region_name": "eu-central-1"}
    for queue, resources in scaler.queues.items():
        for name, most in resources:
            assert most > 0
            resource = scaler.resource_configurations[name]
            assert resource["is_spot"]
            assert driver.instance_type_key() in resource
            script = driver.gen_user_data("prefix", queue, "", resource.get("cpu_only", False))
            ours, theirs = script.index("docker run"), script.index("clearml_agent --config-file")
            assert script.index("export CLEARML_WORKER_ID") < ours < theirs
            assert "--docker" not in script
