package wire

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// WriteOutput answers a request with success.
func (c *Call) WriteOutput(w http.ResponseWriter, requestID string, out any) error {
	status := c.Operation.Status
	if status == 0 {
		status = http.StatusOK
	}
	v := reflect.Indirect(reflect.ValueOf(out))
	e := &encoder{c.Service}
	h := w.Header()
	c.identify(h, requestID)
	e.headers(h, v)
	var body []byte
	switch c.Service.Protocol {
	case JSON:
		h.Set("Content-Type", "application/x-amz-json-1.1")
		if !c.Operation.NoOutput {
			body = e.jsonObject(nil, v)
		}
	case RestJSON:
		h.Set("Content-Type", "application/json")
		if !c.Operation.NoOutput {
			body = e.jsonObject(nil, v)
		}
	case Query:
		h.Set("Content-Type", "text/xml")
		body = c.queryBody(e, v, requestID)
	case RestXML:
		if status != http.StatusNoContent && !c.Operation.NoOutput && v.NumField() > 0 {
			h.Set("Content-Type", "application/xml")
			name := c.Operation.Name + "Result"
			body = append(body, xmlHead...)
			body = append(body, '<')
			body = append(body, name...)
			body = append(body, ` xmlns="`...)
			body = appendXMLText(body, c.Service.Namespace)
			body = append(body, `">`...)
			body = closeTag(e.xmlMembers(body, v), name)
		}
	}
	return write(w, status, body)
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func (c *Call) queryBody(e *encoder, v reflect.Value, requestID string) []byte {
	name := c.Operation.Name + "Response"
	b := append([]byte{'<'}, name...)
	b = append(b, ` xmlns="`...)
	b = appendXMLText(b, c.Service.Namespace)
	b = append(b, `">`...)
	if c.Operation.Result != "" {
		b = closeTag(e.xmlMembers(openTag(b, c.Operation.Result), v), c.Operation.Result)
	}
	b = append(b, `<ResponseMetadata><RequestId>`...)
	b = appendXMLText(b, requestID)
	b = append(b, `</RequestId></ResponseMetadata>`...)
	return closeTag(b, name)
}

func (c *Call) identify(h http.Header, requestID string) {
	h.Set("X-Amzn-Requestid", requestID)
	if c.Service.Protocol == RestXML {
		h.Set("X-Amz-Request-Id", requestID)
		h.Set("X-Amz-Id-2", requestID)
	}
}

// headers writes the members of an output that are headers.
func (e *encoder) headers(h http.Header, v reflect.Value) {
	p := e.m.planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		if f.location != "header" || isAbsent(x) {
			continue
		}
		x = reflect.Indirect(x)
		switch t := x.Type(); {
		case t == timeType:
			h.Set(f.name, x.Interface().(time.Time).UTC().Format(http.TimeFormat))
		case t.Kind() == reflect.String:
			h.Set(f.name, x.String())
		case t.Kind() == reflect.Bool:
			h.Set(f.name, strconv.FormatBool(x.Bool()))
		case x.CanInt():
			h.Set(f.name, strconv.FormatInt(x.Int(), 10))
		}
	}
}

// Spell gives an error the code and the status that the service has for it. Anything that is not an *Error is a failure
// of the server. A nil error stays nil.
func (c *Call) Spell(err error) error {
	if err == nil {
		return nil
	}
	e := *AsError(err)
	if e.Kind != Modelled {
		e.Code, e.Status = c.common(&e)
	}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
	}
	return &e
}

// common spells the errors that every service has. Statuses are those of the protocols' clients, from the models.
func (c *Call) common(e *Error) (code string, status int) {
	p := c.Service.Protocol
	pick := func(json, query, xml string) string {
		switch p {
		case Query:
			return query
		case RestXML:
			return xml
		}
		return json
	}
	forbidden := http.StatusBadRequest
	if p == Query || p == RestXML {
		forbidden = http.StatusForbidden
	}
	switch e.Kind {
	case KindAccessDenied:
		return pick("AccessDeniedException", "AccessDenied", "AccessDenied"), forbidden
	case KindInvalid:
		return c.Service.InvalidCode, http.StatusBadRequest
	case KindMalformed:
		if c.Service.OAuth || c.Service.Name == "sso" {
			return c.Service.InvalidCode, http.StatusBadRequest
		}
		return pick("SerializationException", "MalformedQueryString", "MalformedXML"), http.StatusBadRequest
	case KindThrottled:
		return pick("ThrottlingException", "Throttling", "SlowDown"), map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusBadRequest}[p == RestXML]
	case KindTooLarge:
		return pick("RequestEntityTooLargeException", "RequestEntityTooLarge", "MaxMessageLengthExceeded"), http.StatusRequestEntityTooLarge
	case KindUnavailable:
		return pick("ServiceUnavailableException", "ServiceUnavailable", "ServiceUnavailable"), http.StatusServiceUnavailable
	case KindUnknownOperation, KindNotImplemented:
		switch p {
		case Query:
			return "InvalidAction", http.StatusBadRequest
		case RestXML:
			return "NotImplemented", http.StatusNotImplemented
		case RestJSON:
			return "UnknownOperationException", http.StatusNotFound
		}
		return "UnknownOperationException", http.StatusBadRequest
	default:
		return pick("InternalServerException", "InternalFailure", "InternalError"), http.StatusInternalServerError
	}
}

// WriteError answers a request with an error in the service's envelope.
func (c *Call) WriteError(w http.ResponseWriter, requestID string, err error) {
	e, _ := c.Spell(err).(*Error) //nolint:errorlint // Spell returns this very type
	h := w.Header()
	c.identify(h, requestID)
	var body []byte
	switch c.Service.Protocol {
	case JSON, RestJSON:
		h.Set("X-Amzn-Errortype", e.Code)
		h.Set("Content-Type", "application/x-amz-json-1.1")
		if c.Service.Protocol == RestJSON {
			h.Set("Content-Type", "application/json")
		}
		body = c.jsonError(e, requestID)
	case Query:
		h.Set("Content-Type", "text/xml")
		kind := "Sender"
		if e.Status >= 500 {
			kind = "Receiver"
		}
		body = append(body, `<ErrorResponse xmlns="`...)
		body = appendXMLText(body, c.Service.Namespace)
		body = append(body, `"><Error><Type>`...)
		body = append(body, kind...)
		body = append(body, `</Type>`...)
		body = appendErrorXML(body, e)
		body = append(body, `</Error><RequestId>`...)
		body = append(appendXMLText(body, requestID), `</RequestId></ErrorResponse>`...)
	case RestXML:
		h.Set("Content-Type", "application/xml")
		body = append(body, xmlHead+`<ErrorResponse><Error>`...)
		body = appendErrorXML(body, e)
		body = append(body, `</Error><RequestId>`...)
		body = append(appendXMLText(body, requestID), `</RequestId><HostId>`...)
		body = append(appendXMLText(body, requestID), `</HostId></ErrorResponse>`...)
	}
	_ = write(w, e.Status, body)
}

func (c *Call) jsonError(e *Error, requestID string) []byte {
	m := map[string]any{"__type": e.Code}
	for k, v := range e.Fields {
		m[k] = v
	}
	if c.Service.OAuth {
		m["error_description"] = e.Message
		if m["error"] == nil {
			m["error"] = oauthCode(e)
		}
	} else {
		m["message"], m["Message"] = e.Message, e.Message
	}
	if c.Service.Name == "identitystore" {
		m["RequestId"] = requestID
	}
	body, _ := json.Marshal(m) //nolint:errchkjson // texts alone
	return body
}

// oauthCode is the error of RFC 6749 for the common errors.
func oauthCode(e *Error) string {
	switch e.Kind {
	case KindAccessDenied:
		return "access_denied"
	case KindThrottled:
		return "slow_down"
	case KindInternal, KindUnavailable:
		return "server_error"
	}
	return "invalid_request"
}

func appendErrorXML(b []byte, e *Error) []byte {
	b = closeTag(appendXMLText(openTag(b, "Code"), e.Code), "Code")
	b = closeTag(appendXMLText(openTag(b, "Message"), e.Message), "Message")
	for _, k := range sortedMapKeys(reflect.ValueOf(e.Fields)) {
		if strings.IndexFunc(k, func(r rune) bool { return r > 127 || r == '<' || r == ' ' }) < 0 {
			b = closeTag(appendXMLText(openTag(b, k), e.Fields[k]), k)
		}
	}
	return b
}

func write(w http.ResponseWriter, status int, body []byte) error {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if len(body) == 0 {
		return nil
	}
	_, err := w.Write(body)
	return err
}
