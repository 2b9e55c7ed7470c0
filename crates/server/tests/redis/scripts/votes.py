"""A front end that pushes votes as JSON, and workers that wait for them: each is counted once."""

import json
import sys
import threading

import redis

VOTERS = 300
WORKERS = 4


def connect():
    return redis.Redis(host=sys.argv[1], port=int(sys.argv[2]), db=0, socket_timeout=30)


def work(counted):
    store = connect()
    while True:
        _, data = store.blpop("votes", timeout=0)
        vote = json.loads(data)
        if vote["voter_id"] is None:
            return
        counted.append((vote["voter_id"], vote["vote"]))


counted = []
workers = [threading.Thread(target=work, args=(counted,)) for _ in range(WORKERS)]
for worker in workers:
    worker.start()
front = connect()
for voter in range(VOTERS):
    data = json.dumps({"voter_id": voter, "vote": "ab"[voter % 2]})
    front.rpush("votes", data)
for _ in workers:
    front.rpush("votes", json.dumps({"voter_id": None, "vote": None}))
for worker in workers:
    worker.join()
assert sorted(counted) == [(voter, "ab"[voter % 2]) for voter in range(VOTERS)], counted
assert front.llen("votes") == 0
print("ok")
