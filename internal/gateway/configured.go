package gateway

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// configured puts what a bucket is to be configured with into the record, under the name that CloudTrail has for it: who
// reads the trail has to see which policy was put, not only that one was. The documents of objects, whose requests are
// data events, are not recorded, as at AWS.
func (x *exchange) configured(name string, document any) {
	if x.Key == "" && document != nil {
		x.entry.Parameters(map[string]any{"Host": x.r.Host, "bucketName": x.Bucket, name: document})
	}
}

// ofJSON is a document as JSON; one that is none is a text.
func ofJSON(text []byte) any {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	return v
}

// maxNesting bounds how deep a document that is recorded may be; none that can be put is as deep.
const maxNesting = 16

// ofXML is a document as CloudTrail has it: an element with elements is an object, one that comes more than once a list, any
// other its text. It is nil for what cannot be read.
func ofXML(text []byte) any {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil
		}
		if _, ok := token.(xml.StartElement); ok {
			return element(d, maxNesting)
		}
	}
}

// element reads the rest of an element that began.
func element(d *xml.Decoder, depth int) any {
	var own strings.Builder
	var inner map[string]any
	for {
		token, err := d.Token()
		if err != nil || depth == 0 {
			return nil
		}
		switch t := token.(type) {
		case xml.CharData:
			own.Write(t)
		case xml.StartElement:
			if inner == nil {
				inner = map[string]any{}
			}
			name, v := t.Name.Local, element(d, depth-1)
			switch before := inner[name].(type) {
			case nil:
				inner[name] = v
			case []any:
				inner[name] = append(before, v)
			default:
				inner[name] = []any{before, v}
			}
		case xml.EndElement:
			if inner == nil {
				return strings.TrimSpace(own.String())
			}
			return inner
		}
	}
}
