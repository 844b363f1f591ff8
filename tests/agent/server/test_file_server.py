"""Uploads, downloads and deletions, and the names that are refused."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from agent.server.errors import BadRequestError
from agent.server.multipart import Parts

DATA = bytes(range(256)) * 64


def upload(server: Any, name: str, data: bytes = DATA, field: str | None = None) -> Any:
    # As the SDK does it: the target is the name of the field and of the file.
    return server.http.post(f"{server.url}/files", files={field or name: (name, data)}, timeout=30)


def url(server: Any, name: str) -> str:
    return f"{server.url}/files{name}"


def test_up_down_and_away(server: Any) -> None:
    name = "/project/sub/Task.0123/artifacts/res/file.bin"
    answer = upload(server, name)
    assert (answer.status_code, answer.json()) == (200, [name])
    got = server.http.get(url(server, name), timeout=10)
    assert got.content == DATA
    assert got.headers["content-type"] == "application/octet-stream"
    head = server.http.head(url(server, name), timeout=10)
    assert (head.status_code, head.headers["content-length"], head.content) == (
        200, str(len(DATA)), b"",
    )  # fmt: skip
    upload(server, name, b"new")
    assert server.http.get(url(server, name), timeout=10).content == b"new"
    assert server.http.delete(url(server, name), timeout=10).status_code == 200
    assert server.http.get(url(server, name), timeout=10).status_code == 404
    assert server.http.delete(url(server, name), timeout=10).status_code == 404
    assert not (server.state / "files" / "project").exists()
    assert list((server.state / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        # The SDK sends addresses with escapes, and stores some with and some without.
        ("/a%20b/c.bin", "/a%20b/c.bin"),
        ("/raw space/c.bin", "/raw space/c.bin"),
        ("/h%25/c.bin", "/h%25/c.bin"),
        ("/ünï/cödé.bin", "/%C3%BCn%C3%AF/c%C3%B6d%C3%A9.bin"),
        ("/%C3%BC/c.bin", "/ü/c.bin"),
        ("/plus+and&/c.bin", "/plus+and&/c.bin"),
        ("no/slash.bin", "/no/slash.bin"),
        ("/many//slashes.bin", "/many/slashes.bin"),
        ("/empty.bin", "/empty.bin"),
        ("/..dots../...c", "/..dots../...c"),
        ("/" + "n" * 255, "/" + "n" * 255),
    ],
)
def test_names(server: Any, sent: str, asked: str) -> None:
    data = b"" if "empty" in sent else DATA
    assert upload(server, sent, data).status_code == 200
    assert server.http.get(url(server, asked), timeout=10).content == data


@pytest.mark.parametrize(
    "name",
    [
        "/../up.bin", "/a/../../up.bin", "/%2e%2e/up.bin", "/a/%2e%2e%2fup.bin", "..", "/", "",
        "/.", "/a/./b", "/a/\x00b", "/a%00b", "/a\nb", "/" + "n" * 256, "/n" * 2000,
    ],
)  # fmt: skip
def test_names_that_are_refused(server: Any, name: str) -> None:
    before = set(server.state.parent.rglob("*up.bin*"))
    # By hand, since clients tidy such names away.
    boundary = "xx"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'
        f"data\r\n--{boundary}--\r\n"
    ).encode()
    response = server.http.post(
        f"{server.url}/files", data=body, timeout=10,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )  # fmt: skip
    if name == "":
        assert response.status_code == 200  # then the field's name counts
    else:
        assert response.status_code == 400, name
    assert set(server.state.parent.rglob("*up.bin*")) == before


@pytest.mark.parametrize(
    "path",
    ["/../server.db", "/..%2fserver.db", "/%2e%2e/server.db", "/a/../../credentials.json",
     "//../server.db", "/%252e%252e/server.db", "/..\\server.db", "/", ""],
)  # fmt: skip
def test_nothing_outside_is_served(server: Any, path: str) -> None:
    token = server.call("auth.login")["token"]
    for method in ("GET", "DELETE", "HEAD"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            request = f"{method} /files{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            connection.sendall(f"{request}Authorization: Bearer {token}\r\n\r\n".encode())
            answer = connection.makefile("rb").read()
        assert int(answer.split()[1]) in (400, 404), (method, path, answer)
    assert (server.state / "server.db").exists()


@pytest.mark.parametrize(
    ("ranges", "code", "expected"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=100-", 206, DATA[100:]),
        ("bytes=-5", 206, DATA[-5:]),
        (f"bytes=0-{len(DATA) * 2}", 206, DATA),
        (f"bytes={len(DATA)}-", 416, None),
        ("bytes=9-3", 400, None),
    ],
)
def test_ranges(server: Any, ranges: str, code: int, expected: bytes | None) -> None:
    upload(server, "/ranged.bin")
    answer = server.http.get(url(server, "/ranged.bin"), headers={"Range": ranges}, timeout=10)
    assert answer.status_code == code
    if expected is not None:
        assert answer.content == expected


def test_several_ranges_at_once(server: Any) -> None:
    upload(server, "/ranged.bin")
    header = {"Range": "bytes=0-3,100-103"}
    answer = server.http.get(url(server, "/ranged.bin"), headers=header, timeout=10)
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert DATA[:4] in answer.content
    assert DATA[100:104] in answer.content


def test_a_large_file_is_streamed(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(1 << 20) * 24)
    with path.open("rb") as stream:
        answer = server.http.put(url(server, "/large.bin"), data=stream, timeout=60)
    assert answer.status_code == 200
    got = hashlib.sha256()
    with server.http.get(url(server, "/large.bin"), stream=True, timeout=60) as download:
        for chunk in download.iter_content(1 << 20):
            got.update(chunk)
    assert got.digest() == hashlib.sha256(path.read_bytes()).digest()


def test_several_files_in_one_upload(server: Any) -> None:
    files = [("one", ("/m/one", b"1")), ("two", ("/m/two", b"22"))]
    answer = server.http.post(f"{server.url}/files/", files=files, timeout=10)
    assert answer.json() == ["/m/one", "/m/two"]
    assert server.http.get(url(server, "/m/two"), timeout=10).content == b"22"


def test_an_upload_that_breaks_off_leaves_nothing(server: Any, wait_for: Any) -> None:
    token = server.call("auth.login")["token"]
    head = (
        "POST /files HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n"
        f"Authorization: Bearer {token}\r\n"
        "Content-Type: multipart/form-data; boundary=xx\r\n\r\n"
        '--xx\r\nContent-Disposition: form-data; name="f"; filename="/half.bin"\r\n\r\n'
    ).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + bytes(3_000_000))
        wait_for(lambda: list((server.state / "incoming").iterdir()))
    wait_for(lambda: not list((server.state / "incoming").iterdir()))
    assert server.http.get(url(server, "/half.bin"), timeout=10).status_code == 404


@pytest.mark.parametrize("many", [False, True])
def test_a_full_disk_is_told_and_leaves_nothing(start_server: Any, many: bool) -> None:
    server = start_server()
    small, large = b"s" * 1000, b"l" * 3_000_000
    whole = psutil.Process(server.process.pid)
    # A file may not grow beyond this: to the server the same as a disk without room.
    whole.rlimit(psutil.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    def send(name: str, data: bytes) -> requests.Response:
        if many:
            files = {f"/{name}": (f"/{name}", data)}
            return server.http.post(f"{server.url}/files", files=files, timeout=30)
        return server.http.put(f"{server.url}/files/{name}", data=data, timeout=30)

    answer = send("large", large)
    assert answer.status_code == 500
    assert answer.text.endswith(f"make room on the disk of {server.state}")
    assert server.http.get(f"{server.url}/files/large", timeout=10).status_code == 404
    assert list((server.state / "incoming").iterdir()) == []
    assert send("small", small).status_code == 200
    assert server.http.get(f"{server.url}/files/small", timeout=10).content == small


def test_a_file_can_not_be_a_folder_too(server: Any) -> None:
    upload(server, "/thing")
    assert upload(server, "/thing/inside").status_code == 400
    upload(server, "/folder/inside")
    assert upload(server, "/folder").status_code == 400
    assert server.http.get(url(server, "/folder"), timeout=10).status_code == 404
    assert server.http.delete(url(server, "/folder"), timeout=10).status_code == 404
    assert server.http.patch(url(server, "/thing"), timeout=10).status_code == 405


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=xx", b"no boundary here"),
        ("multipart/form-data; boundary=xx", b"--xx--\r\n"),
        ("multipart/form-data; boundary=xx", b""),
        ("multipart/form-data; boundary=xx",
         b'--xx\r\nContent-Disposition: form-data; name="f"; filename="/cut"\r\n\r\nda'),
    ],
)  # fmt: skip
def test_what_is_no_upload_is_refused(server: Any, kind: str, body: bytes) -> None:
    answer = server.http.post(
        f"{server.url}/files", data=body, headers={"Content-Type": kind}, timeout=10
    )
    assert answer.status_code == 400
    assert server.http.get(url(server, "/cut"), timeout=10).status_code == 404


def test_an_uploaded_page_may_not_act_here(server: Any) -> None:
    upload(server, "/page.html", b"<script>alert(1)</script>")
    headers = server.http.get(url(server, "/page.html"), timeout=10).headers
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_parts_come_out_the_same_however_the_body_is_cut(size: int) -> None:
    body = (
        b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n--x\r\n--xy\r\n--xx\r\n'
        b'Content-Disposition: form-data; name="b"; filename="/b"\r\nX: y\r\n\r\n\r\n--xx--\r\n'
    )
    parts = Parts("multipart/form-data; boundary=xx")
    found: list[list[bytes]] = []
    for start in range(0, len(body), size):
        for event, value in parts.feed(body[start : start + size]):
            if event == "begin":
                found.append([value, b""])
            elif event == "data":
                found[-1][1] += value
    assert parts.complete
    assert found == [[b"a", b"--x\r\n--xy"], [b"/b", b""]]


def test_a_body_without_a_boundary_is_no_upload() -> None:
    with pytest.raises(BadRequestError):
        Parts("text/plain")
