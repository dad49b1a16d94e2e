package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"
)

// dataPlane writes the names and discriminators of the S3 data plane, whose bodies are never bound: what it needs to know
// of an operation is how to tell it from the others.
func dataPlane(m *model) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, header, "s3")
	b.WriteString(`// Package s3 names the operations of the S3 data plane, with what tells them apart in a request.
package s3

// Operation is one operation of the data plane.
type Operation struct {
	Name, Method string
	// URI is the path, with the parameters that select the operation: "/{Bucket}/{Key+}?tagging".
	URI string
	// Query and Headers are further parameters and headers that a request must have to be for this operation.
	Query, Headers []string
}

// Operations are all operations, by name.
var Operations = []Operation{
`)
	for _, name := range sortedKeys(m.Operations) {
		op := m.Operations[name]
		uri, _, _ := strings.Cut(op.HTTP.RequestURI, "&x-id=")
		fmt.Fprintf(&b, "\t{Name: %q, Method: %q, URI: %q", name, op.HTTP.Method, strings.TrimSuffix(uri, "?"))
		if len(op.Requires.Query) > 0 {
			fmt.Fprintf(&b, ", Query: %#v", op.Requires.Query)
		}
		if len(op.Requires.Headers) > 0 {
			fmt.Fprintf(&b, ", Headers: %#v", op.Requires.Headers)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}
