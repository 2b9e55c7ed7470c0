"""A generic client: it knows no Protobuf file, and learns by reflection what it may call."""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

PASSWORD = "una frase larga"

channel = grpc.insecure_channel(sys.argv[1])
grpc.channel_ready_future(channel).result(timeout=30)

# A list of addresses is no name, and HTTP/2 wants one.
both = f"ipv4:{sys.argv[1]},{sys.argv[1]}"
with grpc.insecure_channel(both, [("grpc.default_authority", "localhost")]) as several:
    request = health_pb2.HealthCheckRequest()
    health_pb2_grpc.HealthStub(several).Check(request, timeout=30, wait_for_ready=True)

health = health_pb2_grpc.HealthStub(channel)
for service in ["", "consorcio.v1.News"]:
    request = health_pb2.HealthCheckRequest(service=service)
    answer = health.Check(request, timeout=30, wait_for_ready=True)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING, service

database = ProtoReflectionDescriptorDatabase(channel)
services = set(database.get_services())
assert {"consorcio.v1.Accounts", "consorcio.v1.Events"} <= services, services
pool = descriptor_pool.DescriptorPool(database)


def method(service, name):
    found = pool.FindServiceByName(f"consorcio.v1.{service}").FindMethodByName(name)
    ask = message_factory.GetMessageClass(found.input_type)
    answer = message_factory.GetMessageClass(found.output_type)
    many = channel.unary_stream if found.server_streaming else channel.unary_unary
    call = many(
        f"/consorcio.v1.{service}/{name}",
        request_serializer=ask.SerializeToString,
        response_deserializer=answer.FromString,
    )
    return ask, call


def send(service, name, metadata=(), /, **fields):
    ask, call = method(service, name)
    return call(ask(**fields), metadata=metadata, timeout=30)


send("Accounts", "Register", name="ana", password=PASSWORD)
session = send("Accounts", "LogIn", name="ana", password=PASSWORD)
signed = [("authorization", f"Bearer {session.token}")]
poll = send(
    "Polls", "CreatePoll", signed, question="¿Gatos o perros?", options=["Gatos", "Perros"]
)
code = "a-code-of-32-random-characters-x"
stream = send("Polls", "WatchTally", signed, poll=poll.id)
assert next(stream).tally.total.ballots == 0
send("Polls", "CastBallot", signed, poll=poll.id, choice=2, code=code)
assert next(stream).tally.options[1].weight == 1
stream.cancel()

# An error says the same in its details, which reflection tells how to read.
try:
    send("Polls", "CreatePoll", signed, question="", options=["Gatos"])
    raise AssertionError("it was made")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    trailers = dict(error.trailing_metadata())
    assert trailers["consorcio-node"] == "n1", trailers
    assert b"google.rpc.BadRequest" in trailers["grpc-status-details-bin"], trailers
status = pool.FindMessageTypeByName("google.rpc.ErrorInfo")
assert status.full_name == "google.rpc.ErrorInfo"
print("ok")
