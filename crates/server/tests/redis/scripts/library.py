"""The ordinary ways to use redis-py, in both versions of the protocol."""

import sys
import threading

import redis


def check(protocol):
    store = redis.Redis(
        host=sys.argv[1],
        port=int(sys.argv[2]),
        protocol=protocol,
        decode_responses=True,
        client_name="library",
        health_check_interval=1,
    )
    assert store.ping()
    store.flushdb()
    assert store.client_getname() == "library"
    assert store.info()["redis_mode"] == "standalone"
    assert store.info("keyspace") == {}
    assert store.config_get("appendonly") == {"appendonly": "yes"}
    strings(store)
    collections(store)
    transactions(store)
    messages(store)
    streams(store)
    assert store.info("keyspace")["db0"]["keys"] == store.dbsize()
    store.close()


def strings(store):
    assert store.set("k", "v", ex=100)
    assert 98 <= store.ttl("k") <= 100
    assert store.set("k", "w", nx=True) is None
    assert store.getex("k", persist=True) == "v" and store.ttl("k") == -1
    assert store.ttl("none") == -2
    assert store.mset({"a": 1, "b": 2}) and store.mget("a", "none", "b") == ["1", None, "2"]
    assert [store.incr("a", 5), store.decr("a")] == [6, 5]
    assert store.append("k", "!") == 2 and store.type("k") == "string"
    assert sorted(store.scan_iter("?", count=2)) == ["a", "b", "k"]
    try:
        store.lpush("k", 1)
        raise AssertionError("k is no list")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    try:
        store.execute_command("EVAL", "return 1", 0)
        raise AssertionError("there are no scripts")
    except redis.ResponseError as error:
        assert "unknown command" in str(error), error


def collections(store):
    assert store.rpush("l", *range(10)) == 10
    assert store.lrange("l", 0, 2) == ["0", "1", "2"] and store.lpop("l", 2) == ["0", "1"]
    assert store.lmove("l", "m", "LEFT", "RIGHT") == "2"
    assert tuple(store.blpop("m", 1)) == ("m", "2")
    assert store.hset("h", mapping={"f": "v", "g": 1}) == 2 and store.hincrby("h", "g") == 2
    assert store.hgetall("h") == {"f": "v", "g": "2"}
    assert dict(store.hscan_iter("h")) == {"f": "v", "g": "2"}
    assert store.sadd("s", "a", "b") == 2 and store.smembers("s") == {"a", "b"}
    assert store.sismember("s", "a") and set(store.sscan_iter("s")) == {"a", "b"}


def transactions(store):
    with store.pipeline() as pipe:
        assert pipe.set("n", 1).incr("n").get("n").execute() == [True, 2, "2"]
    with store.pipeline(transaction=False) as pipe:
        for _ in range(500):
            pipe.incr("n")
        assert pipe.execute()[-1] == 502

    def double(pipe):
        now = int(pipe.get("n"))
        pipe.multi()
        pipe.set("n", now * 2)

    assert store.transaction(double, "n") == [True] and store.get("n") == "1004"
    with store.pipeline() as pipe:
        pipe.watch("n")
        store.incr("n")
        pipe.multi()
        pipe.set("n", 0)
        try:
            pipe.execute()
            raise AssertionError("n had changed")
        except redis.WatchError:
            pass


def messages(store):
    heard = store.pubsub(ignore_subscribe_messages=True)
    heard.subscribe("c")
    heard.psubscribe("p*")
    while heard.get_message(timeout=0.2):
        pass
    thread = threading.Thread(target=lambda: [store.publish("c", "hi"), store.publish("p1", "ho")])
    thread.start()
    found = []
    while len(found) < 2:
        message = heard.get_message(timeout=5)
        if message:
            found.append((message["type"], message["channel"], message["data"]))
    thread.join()
    assert found == [("message", "c", "hi"), ("pmessage", "p1", "ho")], found
    heard.close()


def streams(store):
    first = store.xadd("x", {"a": 1})
    store.xadd("x", {"a": 2}, maxlen=10)
    assert store.xlen("x") == 2 and store.xrange("x")[0] == (first, {"a": "1"})
    read = store.xread({"x": first}, block=100)
    entries = read["x"][0] if isinstance(read, dict) else read[0][1]
    assert [fields for _, fields in entries] == [{"a": "2"}], read
    assert not store.xread({"x": "$"}, block=10)


for version in (2, 3):
    check(version)
print("ok")
