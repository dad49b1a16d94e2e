package gateway

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// spell turns any error into the one that S3 answers with. What is no refusal becomes InternalError.
func spell(err error) *wire.Error {
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		a := e.Answer(sigv4.S3)
		return (&wire.Error{Code: a.Code, Status: a.Status, Message: a.Message, Fields: a.Fields}).Because(err)
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return (&wire.Error{Code: e.Code, Status: e.Status, Message: e.Message}).Because(err)
	}
	e := *wire.AsError(err)
	switch e.Kind {
	case wire.KindAccessDenied:
		e.Code, e.Status = "AccessDenied", http.StatusForbidden
	case wire.KindInternal:
		e.Code, e.Status, e.Message = "InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again."
	case wire.KindThrottled:
		e.Code, e.Status = "SlowDown", http.StatusServiceUnavailable
	case wire.KindUnavailable:
		e.Code, e.Status = "ServiceUnavailable", http.StatusServiceUnavailable
	case wire.KindNotImplemented, wire.KindUnknownOperation:
		e.Code, e.Status = "NotImplemented", http.StatusNotImplemented
	case wire.KindInvalid, wire.KindMalformed:
		e.Code, e.Status = "InvalidRequest", http.StatusBadRequest
	}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
	}
	return &e
}

// fail answers with an error document of S3, which unlike the other services' has no element around it. An answer to HEAD
// has no body.
func fail(w http.ResponseWriter, r *http.Request, requestID, resource string, e *wire.Error) {
	h := w.Header()
	h.Set("X-Amz-Request-Id", requestID)
	h.Set("X-Amz-Id-2", requestID)
	if e.Status == http.StatusNotModified {
		w.WriteHeader(e.Status)
		return
	}
	h.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead {
		w.WriteHeader(e.Status)
		return
	}
	d := &document{b: append(make([]byte, 0, 512), `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error>"...)}
	d.text("Code", e.Code)
	d.text("Message", e.Message)
	for _, k := range slices.Sorted(maps.Keys(e.Fields)) {
		d.text(k, e.Fields[k])
	}
	d.text("Resource", resource)
	d.text("RequestId", requestID)
	d.text("HostId", requestID)
	body := d.end("Error")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}
