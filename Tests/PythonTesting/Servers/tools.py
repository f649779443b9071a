# A server of small tools, on mcp 2.x and on mcp 1.x alike: each does what a real one does now and then.

import asyncio
import os
import signal
import sys
import time

try:
    from mcp.server.mcpserver import Context, Image, MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import Context, FastMCP as Server, Image
from mcp.types import ResourceLink

server = Server("tools")


def meta(context):
    found = context.request_context.meta
    return found if isinstance(found, dict) else found.model_dump(by_alias=True)


@server.tool(title="Count slowly")
async def slow(context: Context, n: int = 3, pause: float = 0.0) -> dict[str, int]:
    """Counts to n.

    It tells how far it is."""
    for i in range(n):
        await context.report_progress(i + 1, n, f"step {i + 1}/{n}")
        await asyncio.sleep(pause)
    return {"counted": n}


@server.tool()
async def counting(context: Context) -> str:
    """Tells of progress without a total."""
    await context.report_progress(7)
    return "done"


@server.tool(structured_output=False)
def text(word: str) -> str:
    """Answers with text alone."""
    return f"you said {word}"


@server.tool()
def whoami(context: Context) -> dict[str, str]:
    """Tells what it knows of the attempt."""
    known = {key: str(value) for key, value in meta(context).items() if key.startswith("belfry/")}
    return known | {"cwd": os.getcwd(), "pid": str(os.getpid()), "word": os.environ.get("WORD", "")}


@server.tool()
def fails() -> str:
    """Fails."""
    raise ValueError("no such luck")


@server.tool(structured_output=False)
def picture() -> Image:
    """Answers with a picture."""
    return Image(data=b"\x89PNG\r\n\x1a\nnot really", format="png")


@server.tool(structured_output=False)
def writes(context: Context, name: str = "out.txt") -> ResourceLink:
    """Writes a file where it should, and links to it."""
    path = os.path.join(meta(context)["belfry/outputDir"], name)
    with open(path, "w") as file:
        file.write("made")
    return ResourceLink(type="resource_link", uri=f"file://{path}", name=name)


@server.tool(structured_output=False)
def links() -> ResourceLink:
    """Links to what is none of the task's."""
    return ResourceLink(type="resource_link", uri="file:///etc/passwd", name="passwd")


@server.tool()
def blocks(path: str) -> str:
    """Hears no cancelling until the file is gone."""
    print("blocking", file=sys.stderr, flush=True)
    while os.path.exists(path):
        time.sleep(0.01)
    return "at last"


@server.tool()
async def waits(context: Context) -> str:
    """Can be cancelled."""
    await context.report_progress(0, 1, "waiting")
    await asyncio.sleep(1000)
    return "never"


@server.tool()
def crashes() -> str:
    """Takes the whole server with it."""
    print("these were my last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"


@server.tool()
def hoards(megabytes: int) -> int:
    """Takes memory, and keeps it."""
    pages = bytearray(b"x") * (megabytes << 20)
    time.sleep(1000)
    return len(pages)


@server.tool()
def leaves() -> str:
    """Ends the server as if all was well."""
    os._exit(0)


@server.tool()
def chatty() -> str:
    """Prints where it must not."""
    os.write(1, b"Loading model... 100%\n")
    print("to the log", file=sys.stderr, flush=True)
    return "done"


server.run("stdio")
