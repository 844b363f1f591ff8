"""Users. There is one: the owner of the credentials file."""

from __future__ import annotations

from ..registry import Call, Data, action


@action("users.get_current_user")
def get_current_user(call: Call) -> Data:
    """The caller."""
    user = call.user
    return {
        "user": {
            "id": user.id,
            "name": user.name,
            "company": {"id": user.company, "name": "sightline"},
            "role": "admin",
        }
    }


@action("users.get_all")
def get_all(call: Call) -> Data:
    """All users."""
    return {"users": [{"id": call.keys.user.id, "name": call.keys.user.name}]}
