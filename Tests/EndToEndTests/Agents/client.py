"""Drives an MCP server with the official client, one call after the other, and prints what came of each.

usage: client.py MODE COMMAND ARG…   with a JSON list of [tool, arguments] on stdin.
MODE is `handshake`, or `modern` (mcp 2.x only). Strings in arguments may name an earlier answer: "$0.task".
"""

import asyncio
import json
import os
import re
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

mode, command, *words = sys.argv[1:]
server = StdioServerParameters(command=command, args=words, env=dict(os.environ))
calls = json.load(sys.stdin)
answers = []


def plain(value):
    return json.loads(value.model_dump_json(by_alias=True, exclude_none=True))


def filled(value):
    if isinstance(value, str) and (name := re.fullmatch(r"\$(\d+)\.(\w+)", value)):
        return answers[int(name[1])]["structuredContent"][name[2]]
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    return [filled(item) for item in value] if isinstance(value, list) else value


async def drive(tools, call):
    print(json.dumps({"tools": [plain(tool) for tool in (await tools()).tools]}))
    for name, arguments in calls:
        told = []

        async def heard(progress, total, message):
            told.append([progress, total, message])

        try:
            answer = plain(await call(name, filled(arguments), heard))
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"}
        answers.append(answer)
        print(json.dumps({**answer, "told": told}))


async def main():
    if mode == "modern":
        from mcp import Client

        async with Client(stdio_client(server)) as client:
            print(json.dumps({"revision": client.protocol_version}))
            await drive(client.list_tools, lambda name, args, heard: client.call_tool(name, args, progress_callback=heard))
        return
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        hello = plain(await session.initialize())
        print(json.dumps({"revision": hello["protocolVersion"]}))
        await drive(session.list_tools, lambda name, args, heard: session.call_tool(name, args, progress_callback=heard))


asyncio.run(main())
