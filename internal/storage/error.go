package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"syscall"

	"github.com/versity/versitygw/s3err"
)

// Error is an answer that S3 models as an error.
type Error struct {
	// Code as S3 spells it, the HTTP status, and the message for people.
	Code    string
	Status  int
	Message string
	// Fields are further elements of the answer's body, such as BucketName.
	Fields map[string]string
	// DeleteMarker says that the object is hidden by a delete marker, whose version is VersionID.
	DeleteMarker bool
	VersionID    string
	// Err is the cause, for the log alone.
	Err error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) with(field, value string) *Error {
	if e.Fields == nil {
		e.Fields = map[string]string{}
	}
	e.Fields[field] = value
	return e
}

func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

func refuse(code string, status int, message string) *Error {
	return &Error{Code: code, Status: status, Message: message}
}

func invalidArgument(name, value, message string) *Error {
	return refuse("InvalidArgument", http.StatusBadRequest, message).with("ArgumentName", name).with("ArgumentValue", value)
}

func invalidRequest(message string) *Error {
	return refuse("InvalidRequest", http.StatusBadRequest, message)
}

func accessDenied(message string) *Error {
	return refuse("AccessDenied", http.StatusForbidden, message)
}

func noSuchBucket(bucket string) *Error {
	return refuse("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist").with("BucketName", bucket)
}

func noSuchKey(key string) *Error {
	return refuse("NoSuchKey", http.StatusNotFound, "The specified key does not exist.").with("Key", key)
}

func noSuchVersion(key, version string) *Error {
	return refuse("NoSuchVersion", http.StatusNotFound, "The specified version does not exist.").with("Key", key).with("VersionId", version)
}

func noSuchUpload(id string) *Error {
	return refuse("NoSuchUpload", http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").with("UploadId", id)
}

func keyTooLong(key string) *Error {
	return refuse("KeyTooLongError", http.StatusBadRequest, "Your key is too long").
		with("Size", strconv.Itoa(len(key))).with("MaxSizeAllowed", strconv.Itoa(MaxKeyLength))
}

func preconditionFailed(condition string) *Error {
	return refuse("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold").with("Condition", condition)
}

func notModified() *Error {
	return refuse("NotModified", http.StatusNotModified, "Not Modified")
}

// inTheWay is for a key that no file can be named after because of another object.
func inTheWay() *Error {
	return refuse("InvalidRequest", http.StatusConflict, "This storage cannot keep an object under a key and others below it: one of them is there already.")
}

func malformedXML() *Error {
	return refuse("MalformedXML", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema")
}

func notImplemented(message string) *Error {
	return refuse("NotImplemented", http.StatusNotImplemented, message)
}

func internal(err error) *Error {
	return &Error{Code: "InternalError", Status: http.StatusInternalServerError, Message: "We encountered an internal error. Please try again.", Err: err}
}

// modelled turns whatever went wrong below into the error that S3 has for it. What it does not know is a failure of the
// server, whose cause is for the log.
func modelled(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[s3err.S3Error](err); ok {
		base := e.BaseError()
		switch base.Code {
		case "ObjectParentIsFile", "ExistingObjectIsDirectory": // the library's own codes
			return inTheWay().because(err)
		}
		return &Error{Code: base.Code, Status: base.HTTPStatusCode, Message: base.Description}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: "RequestTimeout", Status: http.StatusBadRequest, Message: "Your socket connection to the server was not read from or written to within the timeout period.", Err: err}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Code: "InsufficientStorage", Status: http.StatusInsufficientStorage, Message: "There is no space left for this object.", Err: err}
	case errors.Is(err, syscall.ENAMETOOLONG):
		return &Error{Code: "KeyTooLongError", Status: http.StatusBadRequest, Message: "Your key is too long", Err: err}
	}
	return internal(err)
}

// absent says that there is no file of that name, which on the way to a key includes a file where a folder would be.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
