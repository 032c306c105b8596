"""A Hugging Face hub on loopback: models in folders, over real sockets, as huggingface_hub asks for them.

Speaks what downloading needs: a model's description, and its files by HEAD and GET. Plain files, no LFS and no Xet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web


@dataclass
class Repository:
    """A model on the hub, and what is wrong with it."""

    folder: Path
    commit: str
    gated: bool = False
    says_bytes: dict[str, int] = field(default_factory=dict)  # sizes told instead of the true ones
    breaks_off_at: str = ""  # this file's transfer ends in the middle


class LoopbackHub:
    """Serves `models`, by id, on 127.0.0.1; counts the bytes it sent in `sent`, by file."""

    def __init__(self) -> None:
        self.models: dict[str, Repository] = {}
        self.sent: dict[str, int] = {}
        self.url = ""
        app = web.Application()
        app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._describe)
        app.router.add_get("/{owner}/{name}/resolve/{revision}/{file}", self._send)  # HEAD too
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def _find(self, request: web.Request) -> Repository:
        if "wrong" in request.headers.get("Authorization", ""):
            raise web.HTTPUnauthorized(headers={"X-Error-Message": "Invalid credentials in Authorization header"})
        model = self.models.get(f"{request.match_info['owner']}/{request.match_info['name']}")
        if model is None:  # the hub does not tell strangers what is private and what is not there
            raise web.HTTPUnauthorized(headers={"X-Error-Message": "Invalid username or password."})
        if request.match_info["revision"] not in ("main", model.commit):
            raise web.HTTPNotFound(headers={"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        return model

    async def _describe(self, request: web.Request) -> web.Response:
        model = self._find(request)
        siblings = [
            {"rfilename": file.name, "size": model.says_bytes.get(file.name, file.stat().st_size)}
            for file in sorted(model.folder.iterdir())
        ]
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        return web.json_response({"id": name, "modelId": name, "sha": model.commit, "siblings": siblings})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        model = self._find(request)
        if model.gated:
            raise web.HTTPForbidden(headers={"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        file = model.folder / request.match_info["file"]
        if not file.is_file():
            raise web.HTTPNotFound(headers={"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        content = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": model.commit}  # noqa: S324
        if request.method == "HEAD" or file.name != model.breaks_off_at:
            if request.method == "GET":
                self.sent[file.name] = self.sent.get(file.name, 0) + len(content)
            return web.Response(body=content, headers=headers)
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        request.transport.abort()
        return response
