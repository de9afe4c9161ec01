"""One item a line in, one answer a line out, in JSON.

    dlp map --range 1-100 --json --worker 'python3 examples/python/evaluate.py'
"""
import json
import sys


def evaluate(item):
    """Whatever takes long: here, how many steps a number takes to 1."""
    n, steps = int(item), 0
    while n != 1:
        n, steps = (3 * n + 1 if n % 2 else n // 2), steps + 1
    return {"item": item, "steps": steps}


for line in sys.stdin:
    try:
        answer = {"value": evaluate(json.loads(line)["item"])}
    except Exception as error:  # this item alone has failed
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
