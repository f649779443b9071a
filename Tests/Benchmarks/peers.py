"""The peers that are libraries or servers: huey on SQLite, beanstalkd. Each is asked for what Belfry is asked for,
at the durability that comes nearest to Belfry's."""

import os
import shutil
import subprocess
import sys
import time


def environment(cache):
    """A virtual environment with the peers' clients; None where it cannot be made."""
    python = f"{cache}/bin/python"
    if os.path.exists(python) and subprocess.run(
            [python, "-c", "import huey, greenstalk"], capture_output=True).returncode == 0:
        return python
    subprocess.run([sys.executable, "-m", "venv", cache], capture_output=True)
    done = subprocess.run([python, "-m", "pip", "install", "-q", "huey", "greenstalk"], capture_output=True)
    return python if done.returncode == 0 else None


HUEY = """
import os, sys, threading, time
from huey import SqliteHuey
huey = SqliteHuey("bench", filename=sys.argv[1] + "/huey.db", fsync=True)
done, finished = 0, threading.Event()
count = int(sys.argv[2])

@huey.task()
def noop():
    global done
    done += 1
    if done == count:
        finished.set()

consumer = huey.create_consumer(workers=1, worker_type="thread", periodic=False)
consumer.start()
start = time.perf_counter()
for _ in range(count):
    noop()
finished.wait()
print(count / (time.perf_counter() - start), flush=True)
waits = []
for _ in range(5):
    # Idle for as long as it takes huey to look seldom.
    time.sleep(3)
    finished.clear()
    count, done = 1, 0
    start = time.perf_counter()
    noop()
    finished.wait()
    waits.append((time.perf_counter() - start) * 1000)
print(sorted(waits)[2], flush=True)
os._exit(0)
"""

BEANSTALK = """
import sys, threading, time
import greenstalk
address, count = ("127.0.0.1", int(sys.argv[1])), int(sys.argv[2])

def work():
    with greenstalk.Client(address) as client:
        for _ in range(count):
            client.delete(client.reserve())

worker = threading.Thread(target=work)
start = time.perf_counter()
worker.start()
with greenstalk.Client(address) as client:
    for _ in range(count):
        client.put("noop")
worker.join()
print(count / (time.perf_counter() - start), flush=True)
"""


def measure(row, directory, cache):
    python = environment(cache)
    if not python:
        return print("huey, beanstalkd: their clients are not to be had (PyPI)")
    result = subprocess.run([python, "-c", HUEY, directory, "2000"], check=True, capture_output=True, text=True)
    rate, wait = result.stdout.split()
    row("huey tasks", float(rate), "tasks/s", "SQLite, synchronous=FULL, no-op, one worker thread")
    row("huey, submitted to running, median", float(wait), "ms", "idle for 3 s before; it polls")
    beanstalkd(row, directory, python)


def beanstalkd(row, directory, python):
    program = shutil.which("beanstalkd")
    if not program:
        return print("beanstalkd: not installed")
    port = "11399"
    server = subprocess.Popen([program, "-l", "127.0.0.1", "-p", port, "-b", directory, "-f0"])
    try:
        for _ in range(100):
            result = subprocess.run([python, "-c", BEANSTALK, port, "5000"], capture_output=True, text=True)
            if result.returncode == 0:
                break
            time.sleep(0.05)
        row("beanstalkd tasks", float(result.stdout), "tasks/s", "a sync for each write, no-op, one worker")
    finally:
        server.terminate()
        server.wait()
