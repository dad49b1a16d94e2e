package wire

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// Spell gives an error the code and the status that the service has for it. Anything that is not an *Error is a failure
// of the server. A nil error stays nil.
func (c *Call) Spell(err error) error {
	if err == nil {
		return nil
	}
	return c.spell(err)
}

func (c *Call) spell(err error) *Error {
	e := *AsError(err)
	if e.Kind != Modelled {
		e.Code, e.Status = c.common(e.Kind)
		if code, ok := c.Service.Codes[e.Kind]; ok {
			e.Code = code
		}
	}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
	}
	return &e
}

// common is how the protocol spells the errors that every service has. The JSON protocol answers most of them with 400.
func (c *Call) common(kind Kind) (code string, status int) {
	p := c.Service.Protocol
	json := p == JSON || p == RestJSON
	spelt := func(asJSON, asQuery, asXML string) string {
		switch p {
		case Query:
			return asQuery
		case RestXML:
			return asXML
		}
		return asJSON
	}
	switch kind {
	case KindAccessDenied:
		if p == JSON || c.Service.OAuth {
			return "AccessDeniedException", http.StatusBadRequest
		}
		return spelt("AccessDeniedException", "AccessDenied", "AccessDenied"), http.StatusForbidden
	case KindInvalid:
		return spelt("ValidationException", "ValidationError", "InvalidRequest"), http.StatusBadRequest
	case KindMalformed:
		return spelt("SerializationException", "MalformedQueryString", "MalformedXML"), http.StatusBadRequest
	case KindThrottled:
		switch {
		case p == RestXML:
			return "SlowDown", http.StatusServiceUnavailable
		case p == RestJSON && !c.Service.OAuth:
			return "ThrottlingException", http.StatusTooManyRequests
		}
		return spelt("ThrottlingException", "Throttling", ""), http.StatusBadRequest
	case KindTooLarge:
		return spelt("RequestEntityTooLargeException", "RequestEntityTooLarge", "MaxMessageLengthExceeded"), http.StatusRequestEntityTooLarge
	case KindUnavailable:
		return spelt("ServiceUnavailableException", "ServiceUnavailable", "ServiceUnavailable"), http.StatusServiceUnavailable
	case KindUnknownOperation, KindNotImplemented:
		switch {
		case p == RestXML:
			return "NotImplemented", http.StatusNotImplemented
		case p == RestJSON:
			return "UnknownOperationException", http.StatusNotFound
		case json:
			return "UnknownOperationException", http.StatusBadRequest
		}
		return "InvalidAction", http.StatusBadRequest
	default:
		return spelt("InternalServerException", "InternalFailure", "InternalError"), http.StatusInternalServerError
	}
}

// WriteError answers a request with an error in the service's envelope. The cause of the error stays here.
func (c *Call) WriteError(w http.ResponseWriter, requestID string, err error) {
	e := c.spell(err)
	h := w.Header()
	c.identify(h, requestID)
	h.Set("Content-Type", c.contentType())
	var body []byte
	switch c.Service.Protocol {
	case JSON, RestJSON:
		// The SDKs of restJson services find the code here alone.
		h.Set("X-Amzn-Errortype", e.Code)
		body = c.jsonError(e, requestID)
	case Query:
		body = c.queryError(e, requestID)
	case RestXML:
		body = restXMLError(e, requestID)
	}
	// The client that went away does not want to hear of it.
	_ = write(w, e.Status, body)
}

// jsonError writes the message under both spellings: services of one protocol model it as either.
func (c *Call) jsonError(e *Error, requestID string) []byte {
	m := map[string]string{"__type": e.Code}
	maps.Copy(m, e.Fields)
	if c.Service.OAuth {
		m["error_description"] = e.Message
		if m["error"] == "" {
			m["error"] = oauthCode(e.Kind)
		}
	} else {
		m["message"], m["Message"] = e.Message, e.Message
	}
	if c.Service.RequestIDInErrors {
		m["RequestId"] = requestID
	}
	body, _ := json.Marshal(m) //nolint:errchkjson // texts cannot fail
	return body
}

// oauthCode is the error of RFC 6749 for a common error.
func oauthCode(kind Kind) string {
	switch kind {
	case KindAccessDenied:
		return "access_denied"
	case KindThrottled:
		return "slow_down"
	case KindInternal, KindUnavailable:
		return "server_error"
	}
	return "invalid_request"
}

func (c *Call) queryError(e *Error, requestID string) []byte {
	kind := "Sender"
	if e.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	b := openRoot(nil, "ErrorResponse", c.Service.Namespace)
	b = append(b, `<Error><Type>`+kind+`</Type>`...)
	b = appendErrorXML(b, e)
	b = append(b, `</Error><RequestId>`...)
	b = appendXMLText(b, requestID)
	return append(b, `</RequestId></ErrorResponse>`...)
}

func restXMLError(e *Error, requestID string) []byte {
	b := []byte(xmlHead + `<ErrorResponse><Error>`)
	b = appendErrorXML(b, e)
	b = append(b, `</Error><RequestId>`...)
	b = appendXMLText(b, requestID)
	b = append(b, `</RequestId><HostId>`...)
	b = appendXMLText(b, requestID)
	return append(b, `</HostId></ErrorResponse>`...)
}

func appendErrorXML(b []byte, e *Error) []byte {
	b = closeTag(appendXMLText(openTag(b, "Code"), e.Code), "Code")
	b = closeTag(appendXMLText(openTag(b, "Message"), e.Message), "Message")
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		b = closeTag(appendXMLText(openTag(b, name), e.Fields[name]), name)
	}
	return b
}
