"""What the hit counter of every Compose tutorial does, without Flask around it."""

import sys
import time

import redis

cache = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]))


def get_hit_count():
    retries = 5
    while True:
        try:
            return cache.incr("hits")
        except redis.exceptions.ConnectionError as error:
            if retries == 0:
                raise error
            retries -= 1
            time.sleep(0.5)


for expected in range(1, 101):
    assert get_hit_count() == expected
assert cache.get("hits") == b"100"
print("ok")
