package scim

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/wire"
)

// The scimTypes of refusals (RFC 7644 §3.12).
const (
	uniqueness    = "uniqueness"
	invalidFilter = "invalidFilter"
	invalidPath   = "invalidPath"
	invalidValue  = "invalidValue"
	invalidSyntax = "invalidSyntax"
	mutability    = "mutability"
	noTarget      = "noTarget"
	tooMany       = "tooMany"
)

// fault is a refused request.
type fault struct {
	status   int
	scimType string
	detail   string
	after    time.Duration // when to come again, if that is said
	err      error         // the cause, for the log alone
}

func (f *fault) Error() string {
	if f.err != nil {
		return f.detail + ": " + f.err.Error()
	}
	return f.detail
}

func (f *fault) Unwrap() error { return f.err }

// body is the error as a message (RFC 7644 §3.12).
func (f *fault) body(requestID string) tree {
	t := tree{"schemas": []any{urnError}, "status": strconv.Itoa(f.status), "detail": f.detail}
	if requestID != "" {
		t["exceptionRequestId"] = requestID
	}
	if f.scimType != "" {
		t["scimType"] = f.scimType
	}
	return t
}

// bad refuses a request with status 400.
func bad(scimType, format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, scimType: scimType, detail: fmt.Sprintf(format, args...)}
}

// tooSoon refuses a request that may come again later.
func tooSoon(after time.Duration, detail string) *fault {
	return &fault{status: http.StatusTooManyRequests, detail: detail, after: after}
}

func notFound(what, id string) *fault {
	return &fault{status: http.StatusNotFound, detail: what + " " + id + " was not found."}
}

// faultOf gives every error a status. What is neither a refusal of this room nor of the directory is a failure of the
// server, of which the client learns nothing.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if e, ok := errors.AsType[*directory.Error](err); ok {
		switch e.Kind {
		case directory.KindNotFound:
			return &fault{status: http.StatusNotFound, detail: e.Message}
		case directory.KindConflict:
			return &fault{status: http.StatusConflict, scimType: uniqueness, detail: e.Message}
		case directory.KindQuota:
			return &fault{status: http.StatusForbidden, detail: e.Message}
		default:
			return bad(invalidValue, "%s", e.Message)
		}
	}
	return &fault{status: http.StatusInternalServerError, detail: "The request could not be processed because of an internal error.", err: err}
}

// codes name statuses in the trail, as AWS names its errors.
var codes = map[int]string{
	http.StatusUnauthorized: "UnauthorizedException", http.StatusForbidden: "AccessDeniedException", http.StatusNotFound: "ResourceNotFoundException",
	http.StatusConflict: "ConflictException", http.StatusPreconditionFailed: "PreconditionFailedException", http.StatusTooManyRequests: "ThrottlingException", http.StatusInternalServerError: "InternalServerException", http.StatusServiceUnavailable: "ServiceUnavailableException",
}

// recorded is the fault as the trail records it.
func (f *fault) recorded() error {
	code, ok := codes[f.status]
	if !ok {
		code = "ValidationException"
	}
	return wire.NewError(code, f.status, f.detail)
}
