# FAKE: a server for faults that a real one does not make on demand. It is told what to do to each request.
#
#   fake-server.py SCRIPT-JSON
#
# {"METHOD": ACTION | [ACTION for the first, the second … the last one again]}
# ACTION: {"result": …} | {"error": {…}} | "ignore" | {"exit": STATUS} | {"line": TEXT, then: ACTION}
#         | {"big": BYTES} (a result of so many bytes) | {"notify": METHOD, "then": ACTION}
#         | {"progress": [PARAMS], "then": ACTION} (of this request, whose number is the token)
# What is done to notifications/cancelled is an answer to the request that is cancelled.
# Each line that it reads goes to the file in FAKE_LOG.

import json
import os
import sys

script = json.loads(sys.argv[1])
log = open(os.environ["FAKE_LOG"], "a") if "FAKE_LOG" in os.environ else None
done = {}


def say(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def act(action, id):
    if action == "ignore":
        return
    if "line" in action:
        sys.stdout.write(action["line"] + "\n")
        sys.stdout.flush()
    if "notify" in action:
        say({"method": action["notify"]})
    for params in action.get("progress", []):
        say({"method": "notifications/progress", "params": {"progressToken": id, **params}})
    if "then" in action:
        return act(action["then"], id)
    if "exit" in action:
        sys.exit(action["exit"])
    if "big" in action:
        say({"id": id, "result": {"content": [{"type": "text", "text": "x" * action["big"]}]}})
    for key in ("result", "error"):
        if key in action:
            say({"id": id, key: action[key]})


for line in sys.stdin:
    if log:
        log.write(line)
        log.flush()
    message = json.loads(line)
    method = message.get("method")
    actions = script.get(method, {"error": {"code": -32601, "message": "no such method"}})
    if not isinstance(actions, list):
        actions = [actions]
    turn = done.get(method, 0)
    done[method] = turn + 1
    action = actions[min(turn, len(actions) - 1)]
    if "id" in message or method in script:
        act(action, message.get("id", message.get("params", {}).get("requestId")))
