"""A call's failure as an exception whose type is the code and whose fields are the google.rpc details."""

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from graft.v1 import training_pb2

_DETAILS = (
    error_details_pb2.BadRequest,
    error_details_pb2.ResourceInfo,
    error_details_pb2.PreconditionFailure,
    error_details_pb2.RetryInfo,
    error_details_pb2.RequestInfo,
)


class GraftError(Exception):
    """Any failed call; also of the codes without a type of their own.

    code        grpc.StatusCode
    message     what the server says, field or resource included
    request_id  finds the call in the server's log; "" when no server answered
    details     the google.rpc messages that came along
    """

    def __init__(self, code, message, details=()):
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.details = tuple(details)
        request = self._detail(error_details_pb2.RequestInfo)
        self.request_id = request.request_id if request else ""

    def _detail(self, kind):
        return next((one for one in self.details if isinstance(one, kind)), None)

    @property
    def retry_delay(self):
        """Seconds after which the server asks to be called again, or None: trying again does not help by itself."""
        retry = self._detail(error_details_pb2.RetryInfo)
        return retry.retry_delay.ToNanoseconds() / 1e9 if retry else None


class InvalidArgument(GraftError):
    """`field` of the request ("spec.epochs") is wrong for `reason`; both "" where no single field is."""

    @property
    def field(self):
        return self._violation().field

    @property
    def reason(self):
        return self._violation().description

    def _violation(self):
        violations = (self._detail(error_details_pb2.BadRequest) or error_details_pb2.BadRequest()).field_violations
        return violations[0] if violations else error_details_pb2.BadRequest.FieldViolation()


class _OfResource(GraftError):
    @property
    def resource_type(self):
        """ "model", "job", "dataset", ..."""
        return (self._detail(error_details_pb2.ResourceInfo) or error_details_pb2.ResourceInfo()).resource_type

    @property
    def resource_name(self):
        return (self._detail(error_details_pb2.ResourceInfo) or error_details_pb2.ResourceInfo()).resource_name


class NotFound(_OfResource):
    """There is no such resource."""


class AlreadyExists(_OfResource):
    """The name, or the request id, is taken by something else."""


class FailedPrecondition(GraftError):
    """`subject` is not in a state for this call."""

    @property
    def subject(self):
        failure = self._detail(error_details_pb2.PreconditionFailure)
        return failure.violations[0].subject if failure and failure.violations else ""


class ResourceExhausted(GraftError):
    """A limit, or overload; the latter has a `retry_delay`."""


class Unavailable(GraftError):
    """No server was reached, or it is shutting down."""


class DeadlineExceeded(GraftError):
    """The time given to the call ran out."""


class Unauthenticated(GraftError):
    """No token or certificate, or one that is not valid."""


class PermissionDenied(GraftError):
    """The token's role does not allow this."""


class Cancelled(GraftError):
    """The call was cancelled."""


class DataLoss(GraftError):
    """Stored data is damaged, or a stream left something out."""


class JobEnded(Exception):
    """A job that was followed ended without a model: it failed or was cancelled. `job` is its last record."""

    def __init__(self, job):
        state = training_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_")
        super().__init__(f"{job.name} {state}" + (f": {job.error.message}" if job.error.message else ""))
        self.job = job


_TYPES = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.DATA_LOSS: DataLoss,
}


def make_error(code, message, details=()):
    return _TYPES.get(code, GraftError)(code, message, details)


def from_rpc_error(error):
    """Of a grpc.RpcError that a call raised."""
    try:
        status = rpc_status.from_call(error) or status_pb2.Status()
    except ValueError:  # a proxy changed code or message: its word counts, without details
        status = status_pb2.Status()
    return make_error(error.code(), error.details() or "", _unpacked(status))


def _unpacked(status):
    for any_detail in status.details:
        for kind in _DETAILS:
            if any_detail.Is(kind.DESCRIPTOR):
                message = kind()
                any_detail.Unpack(message)
                yield message


def is_broken_connection(error):
    """The connection or the server went away, rather than the call being refused.

    Besides UNAVAILABLE these are the codes that gRPC makes up when a stream is reset; the server's own errors have
    details.
    """
    made_up = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)
    return error.code == grpc.StatusCode.UNAVAILABLE or (error.code in made_up and not error.details)
