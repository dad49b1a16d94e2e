package gateway

import (
	"net/http"

	"github.com/lakegate/lakegate/internal/wire"
)

func invalidArgument(name, value, message string) *wire.Error {
	return wire.NewError("InvalidArgument", http.StatusBadRequest, message).With("ArgumentName", name).With("ArgumentValue", clip(value))
}

func invalidRequest(message string) *wire.Error {
	return wire.NewError("InvalidRequest", http.StatusBadRequest, message)
}

// notImplemented is the answer to what could mean something that this server does not know.
func notImplemented(kind, name string) *wire.Error {
	return wire.NewError("NotImplemented", http.StatusNotImplemented, "A "+kind+" you provided implies functionality that is not implemented.").With("Header", clip(name))
}

func methodNotAllowed(method string) *wire.Error {
	return wire.NewError("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.").With("Method", clip(method))
}

func invalidURI(uri string) *wire.Error {
	return wire.NewError("InvalidURI", http.StatusBadRequest, "Couldn't parse the specified URI.").With("URI", clip(uri))
}

func malformedXML(cause error) *wire.Error {
	return wire.NewError("MalformedXML", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema").Because(cause)
}

// clip bounds what a client wrote before it is repeated to it.
func clip(s string) string {
	const most = 256
	if len(s) > most {
		return s[:most]
	}
	return s
}
