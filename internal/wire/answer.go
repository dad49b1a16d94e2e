package wire

import (
	"net/http"
	"reflect"
	"strconv"
	"time"
)

// WriteOutput answers a request with success. Its error is that of writing to the client.
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
	case JSON, RestJSON:
		h.Set("Content-Type", c.contentType())
		if !c.Operation.NoOutput {
			body = e.jsonObject(nil, v)
		}
	case Query:
		h.Set("Content-Type", c.contentType())
		body = c.queryBody(e, v, requestID)
	case RestXML:
		if status != http.StatusNoContent && !c.Operation.NoOutput && planOf(v.Type()).answersInBody() {
			h.Set("Content-Type", c.contentType())
			name := c.Operation.Name + "Result"
			body = append(body, xmlHead...)
			body = openRoot(body, name, c.Service.Namespace)
			body = closeTag(e.xmlMembers(body, v), name)
		}
	}
	return write(w, status, body)
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func (c *Call) contentType() string {
	switch c.Service.Protocol {
	case JSON:
		return "application/x-amz-json-1.1"
	case RestJSON:
		return "application/json"
	case Query:
		return "text/xml"
	default:
		return "application/xml"
	}
}

func (c *Call) queryBody(e *encoder, v reflect.Value, requestID string) []byte {
	name := c.Operation.Name + "Response"
	b := openRoot(nil, name, c.Service.Namespace)
	if result := c.Operation.Result; result != "" {
		b = closeTag(e.xmlMembers(openTag(b, result), v), result)
	}
	b = append(b, `<ResponseMetadata><RequestId>`...)
	b = appendXMLText(b, requestID)
	b = append(b, `</RequestId></ResponseMetadata>`...)
	return closeTag(b, name)
}

func openRoot(b []byte, name, namespace string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	b = append(b, ` xmlns="`...)
	b = appendXMLText(b, namespace)
	return append(b, `">`...)
}

// identify names the request to the client, in the headers that its protocol has for it.
func (c *Call) identify(h http.Header, requestID string) {
	h.Set("X-Amzn-Requestid", requestID)
	if c.Service.Protocol == RestXML {
		h.Set("X-Amz-Request-Id", requestID)
		h.Set("X-Amz-Id-2", requestID)
	}
}

// headers writes the members of an output that are headers.
func (e *encoder) headers(h http.Header, v reflect.Value) {
	p := planOf(v.Type())
	for i := range p.fields {
		f := &p.fields[i]
		x := v.Field(f.index)
		if f.location != "header" || isAbsent(x) {
			continue
		}
		shape := e.m.shape(f.shape)
		if !isList(x.Type()) {
			h.Set(f.name, string(e.headerText(nil, x, shape, false)))
			continue
		}
		var text []byte
		for i := range x.Len() {
			if i > 0 {
				text = append(text, ", "...)
			}
			text = e.headerText(text, x.Index(i), e.m.shape(shape.Item), true)
		}
		h.Set(f.name, string(text))
	}
}

// headerText writes a value into a header. An item of a list is quoted when it would come apart without.
func (e *encoder) headerText(b []byte, v reflect.Value, shape *Shape, item bool) []byte {
	v = reflect.Indirect(v)
	switch t := v.Type(); {
	case t == timeType:
		return appendTime(b, v.Interface().(time.Time), shape, httpTime)
	case t.Kind() == reflect.String && item:
		return appendHeaderItem(b, v.String())
	case t.Kind() == reflect.String:
		return append(b, v.String()...)
	case t.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	default:
		return appendFloat(b, v.Float())
	}
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
