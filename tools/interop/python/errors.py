"""Errors: what travels in Fail, End, Settle and Goodbye (page: Errors)."""

from rpc.v1 import envelope_pb2 as pb

import values

CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
    "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()
DELIVERED = {pb.NO: "no", pb.UNKNOWN: "unknown"}


class RpcError(Exception):
    """An error with one of the sixteen codes, by name."""

    def __init__(self, code, message, reason="", details=None, retryable=False, delivered=None):
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason
        self.details, self.retryable, self.delivered = details, retryable, delivered

    def to_wire(self):
        error = pb.Error(code=CODES.index(self.code), message=self.message[:65_536], reason=self.reason)
        error.retryable = self.retryable
        if self.delivered is not None:
            error.delivered = pb.NO if self.delivered == "no" else pb.UNKNOWN
        if self.details is not None:
            error.codec, error.data = pb.JSON, values.encode(self.details)
        return error

    @staticmethod
    def from_wire(error):
        known = 1 <= error.code <= 16
        details = {"code": error.code} if not known else None
        if known and error.HasField("data"):
            details = values.decode(error.data) if error.codec == pb.JSON else error.data
        return RpcError(
            CODES[error.code] if known else "UNKNOWN",
            error.message,
            error.reason,
            details,
            error.retryable,
            DELIVERED.get(error.delivered),
        )


class ProtocolError(Exception):
    """The other end broke a rule of the page; the session cannot go on (page: Rules for every envelope)."""

    def as_rpc_error(self):
        return RpcError("INTERNAL", str(self), "PROTOCOL")
