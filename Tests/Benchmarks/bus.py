"""A private session bus with a notification server in C that shows nothing, for the benchmarks."""

import contextlib
import os
import subprocess
import sys
import tempfile

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "DBusPeers")
CONFIGURATION = """<busconfig><type>session</type><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""


def compile_peer(name, directory):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "dbus-1"], check=True, capture_output=True, text=True)
    program = f"{directory}/{name}"
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, f"{PEERS}/{name}.c", *flags.stdout.split()], check=True)
    return program


def start(command, environment):
    """Starts a process and waits for its first line."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if not process.stdout.readline():
        sys.exit(f"{command[0]} did not start")
    return process


@contextlib.contextmanager
def private_bus():
    """Gives a directory, and the environment of a client on the bus; ends what it started."""
    running = []
    with tempfile.TemporaryDirectory(prefix="belfry-dbus-") as directory:
        try:
            with open(f"{directory}/bus.conf", "w") as file:
                file.write(CONFIGURATION.format(directory))
            environment = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=f"unix:path={directory}/bus")
            daemon = ["dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork", "--nopidfile",
                      "--print-address=1"]
            running.append(start(daemon, environment))
            running.append(start([compile_peer("server", directory)], environment))
            yield directory, environment
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()
