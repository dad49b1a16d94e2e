package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// model is a service model as botocore writes it, of which models/ keeps the facts.
type model struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		Protocol     string `json:"protocol"`
		TargetPrefix string `json:"targetPrefix"`
		XMLNamespace string `json:"xmlNamespace"`
	} `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type operation struct {
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input    *ref   `json:"input"`
	Output   *ref   `json:"output"`
	AuthType string `json:"authtype"`
	// Requires are the parameters and headers without which a request is for another operation (S3).
	Requires struct {
		Query   []string `json:"query"`
		Headers []string `json:"headers"`
	} `json:"requires"`
}

// ref points at a shape, from an operation, a member or an item.
type ref struct {
	Shape           string `json:"shape"`
	LocationName    string `json:"locationName"`
	Location        string `json:"location"`
	ResultWrapper   string `json:"resultWrapper"`
	Flattened       bool   `json:"flattened"`
	TimestampFormat string `json:"timestampFormat"`
	XMLAttribute    bool   `json:"xmlAttribute"`
	Streaming       bool   `json:"streaming"`
	EventStream     bool   `json:"eventstream"`
	JSONValue       bool   `json:"jsonvalue"`
	XMLNamespace    struct {
		URI string `json:"uri"`
	} `json:"xmlNamespace"`
}

type shape struct {
	Type            string   `json:"type"`
	Required        []string `json:"required"`
	Members         members  `json:"members"`
	Member          *ref     `json:"member"`
	Key             *ref     `json:"key"`
	Value           *ref     `json:"value"`
	Enum            []string `json:"enum"`
	Min             *int64   `json:"min"`
	Max             *int64   `json:"max"`
	Pattern         string   `json:"pattern"`
	Payload         string   `json:"payload"`
	TimestampFormat string   `json:"timestampFormat"`
	Sensitive       bool     `json:"sensitive"`
	Union           bool     `json:"union"`
	Document        bool     `json:"document"`
	Flattened       bool     `json:"flattened"`
	Exception       bool     `json:"exception"`
	Fault           bool     `json:"fault"`
	EventStream     bool     `json:"eventstream"`
	Error           struct {
		Code   string `json:"code"`
		Status int    `json:"httpStatusCode"`
	} `json:"error"`
}

// members keep the order of the model.
type members struct {
	names []string
	refs  map[string]*ref
}

func (m *members) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &m.refs); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m.names = append(m.names, name.(string))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// patches are what the models leave out or say otherwise than the services do.
type patches struct {
	Services map[string]*patch `json:"services"`
}

// patch is that of one service.
type patch struct {
	// Package is the Go package, Name the service's name on the command line.
	Package string `json:"package"`
	Name    string `json:"name"`
	// EventSource names the service in the trail, SigningNames in the credential scope of a signature.
	EventSource  string   `json:"eventSource"`
	SigningNames []string `json:"signingNames"`
	// Errors are the service's codes for common errors, by kind: "invalid" is a broken constraint.
	Errors map[string]string `json:"errors"`
	// RequestIDInErrors says that the bodies of errors carry the request's id.
	RequestIDInErrors bool `json:"requestIdInErrors"`
	// ReadOnly are operations that the trail counts as reading although their names do not say so.
	ReadOnly []string `json:"readOnly"`
	// Sensitive are members, "Shape.member", that hold secrets; Visible are shapes that do not, although marked so.
	Sensitive []string `json:"sensitive"`
	Visible   []string `json:"visible"`
	// OAuth are the codes of RFC 6749 by exception. A service that has them puts messages into error_description.
	OAuth map[string]string `json:"oauth"`
}

// check refuses a patch that names nothing in the model: it would seem to correct and correct nothing.
func (p *patch) check(m *model) error {
	for _, name := range p.ReadOnly {
		if m.Operations[name] == nil {
			return fmt.Errorf("patch readOnly: no operation %s", name)
		}
	}
	for _, name := range p.Sensitive {
		structure, member, _ := strings.Cut(name, ".")
		if sh := m.Shapes[structure]; sh == nil || sh.Members.refs[member] == nil {
			return fmt.Errorf("patch sensitive: no member %s", name)
		}
	}
	for _, name := range p.Visible {
		if sh := m.Shapes[name]; sh == nil || !sh.Sensitive {
			return fmt.Errorf("patch visible: no sensitive shape %s", name)
		}
	}
	for _, name := range sortedKeys(p.OAuth) {
		if sh := m.Shapes[name]; sh == nil || !sh.Exception {
			return fmt.Errorf("patch oauth: no exception %s", name)
		}
	}
	for _, kind := range sortedKeys(p.Errors) {
		if kinds[kind] == "" {
			return fmt.Errorf("patch errors: no kind %s", kind)
		}
	}
	return nil
}

// supported refuses what the runtime does not speak.
func (m *model) supported() error {
	for _, name := range sortedKeys(m.Shapes) {
		sh := m.Shapes[name]
		if sh.Payload != "" || sh.EventStream {
			return fmt.Errorf("shape %s: payload members and event streams are not supported", name)
		}
		if sh.Document && !strings.Contains(m.Metadata.Protocol, "json") {
			return fmt.Errorf("shape %s: documents are supported in JSON alone", name)
		}
		for _, member := range sh.Members.names {
			r := sh.Members.refs[member]
			if r.XMLAttribute || r.Streaming || r.EventStream || r.JSONValue {
				return fmt.Errorf("member %s.%s: XML attributes, streams and JSON in texts are not supported", name, member)
			}
			if r.TimestampFormat != "" {
				return fmt.Errorf("member %s.%s: a time's format is supported on its shape, not on members", name, member)
			}
			if !slices.Contains([]string{"", "header", "uri", "querystring"}, r.Location) {
				return fmt.Errorf("member %s.%s: location %s is not supported", name, member, r.Location)
			}
			if target := m.Shapes[r.Shape]; target == nil {
				return fmt.Errorf("member %s.%s: no shape %s", name, member, r.Shape)
			} else if r.Location != "" && (target.Type == "map" || target.Type == "structure") {
				return fmt.Errorf("member %s.%s: a %s in a %s is not supported", name, member, target.Type, r.Location)
			} else if r.Location != "" && target.Type == "list" && !isText(m.Shapes[target.Member.Shape]) {
				return fmt.Errorf("member %s.%s: a list of %s in a %s is not supported", name, member, m.Shapes[target.Member.Shape].Type, r.Location)
			}
		}
	}
	return nil
}

// isText reports whether a shape is one text outside of a body.
func isText(sh *shape) bool { return !slices.Contains([]string{"structure", "map", "list"}, sh.Type) }

func load(dir, name string, v any) error {
	text, err := os.ReadFile(filepath.Join(dir, name+".json")) //nolint:gosec // the models of the project
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read model %s: %w", name, err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
