"""The envelope around every answer of the API."""

from __future__ import annotations

import uuid
from typing import Any

from .encoding import encode
from .errors import ApiError
from .settings import API_VERSION


def success(action: str, version: str, data: dict[str, Any]) -> bytes:
    """The body of an answer that went well."""
    return _body(action, version, data, 200, 0, "OK", {})


def failure(action: str, version: str, error: ApiError) -> bytes:
    """The body of an answer that says what went wrong."""
    return _body(action, version, {}, error.code, error.subcode, error.message, error.data)


def _body(
    action: str,
    version: str,
    data: dict[str, Any],
    code: int,
    subcode: int,
    message: str,
    error_data: dict[str, Any],
) -> bytes:
    identity = uuid.uuid4().hex
    meta: dict[str, Any] = {
        "id": identity,
        "trx": identity,
        "endpoint": {
            "name": action,
            "requested_version": version,
            "actual_version": API_VERSION,
        },
        "result_code": code,
        "result_subcode": subcode,
        "result_msg": message,
        "error_stack": "",
        "error_data": error_data,
    }
    return encode({"meta": meta, "data": data})
