"""Client of a Graft server. `Client` is the way in; messages are in graft.v1."""

from graft.client import Client, Tls
from graft.errors import (
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    GraftError,
    InvalidArgument,
    JobEnded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from graft.photos import Photo, photos_in

__all__ = [
    "AlreadyExists",
    "Cancelled",
    "Client",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "GraftError",
    "InvalidArgument",
    "JobEnded",
    "NotFound",
    "PermissionDenied",
    "Photo",
    "ResourceExhausted",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "photos_in",
]
