"""Users: found, made, changed, and their preferences."""

from __future__ import annotations

from typing import Any


def test_who_am_i(server: Any) -> None:
    user = server.call("users.get_current_user")["user"]
    assert user["name"] == server.keys["user"]
    assert user["company"]["id"]
    assert server.call("users.get_by_id", user=user["id"])["user"]["id"] == user["id"]
    assert server.refuse("users.get_by_id", user="nobody")["result_code"] == 400


def test_users_are_made_changed_and_removed(server: Any) -> None:
    server.call("users.create", id="u1", name="Ada Lovelace", company="c")
    assert server.refuse("users.create", id="u1", name="Again", company="c")
    server.call("users.update", user="u1", name="Ada King", avatar="http://x/y.png")
    listed = server.call("users.get_all_ex", name="^Ada", order_by=["name"])["users"]
    assert [(user["id"], user["name"]) for user in listed] == [("u1", "Ada King")]
    assert [user["id"] for user in server.call("users.get_all", id=["u1"])["users"]] == ["u1"]
    server.call("users.delete", user="u1")
    assert server.call("users.get_all", id=["u1"])["users"] == []
    me = server.call("users.get_current_user")["user"]["id"]
    assert server.refuse("users.delete", user=me)


def test_the_owner_can_take_back_a_role_given_away(server: Any) -> None:
    for role in ("user", "admin"):
        assert server.call("auth.edit_user", role=role)["fields"] == {"role": role}
        assert server.call("users.get_current_user")["user"]["role"] == role


def test_only_users_who_were_active_in_projects(server: Any) -> None:
    project = server.call("projects.create", name="activity")["id"]
    me = server.call("users.get_current_user")["user"]["id"]
    assert server.call("users.get_all_ex", active_in_projects=[project])["users"] == []
    server.task(project=project)
    found = server.call("users.get_all_ex", active_in_projects=[project], only_fields=["name"])
    assert found["users"] == [{"id": me, "name": server.keys["user"]}]


def test_preferences_are_merged(server: Any) -> None:
    server.call("users.set_preferences", preferences={"views": {"a": 1, "b": [1]}, "theme": "dark"})
    server.call("users.set_preferences", preferences={"views": {"a": 2}, "views.c.d": 3})
    assert server.call("users.get_preferences")["preferences"] == {
        "views": {"a": 2, "b": [1], "c": {"d": 3}}, "theme": "dark",
    }  # fmt: skip
    assert "preferences" not in server.call("users.get_current_user")["user"]
    assert server.refuse("users.set_preferences", preferences=[])
