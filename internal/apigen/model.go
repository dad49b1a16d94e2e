package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	Input            *ref   `json:"input"`
	Output           *ref   `json:"output"`
	AuthType         string `json:"authtype"`
	ChecksumRequired bool   `json:"httpChecksumRequired"`
}

// ref points at a shape, from an operation, a member or an item.
type ref struct {
	Shape         string `json:"shape"`
	LocationName  string `json:"locationName"`
	Location      string `json:"location"`
	ResultWrapper string `json:"resultWrapper"`
	Flattened     bool   `json:"flattened"`
}

type shape struct {
	Type      string   `json:"type"`
	Required  []string `json:"required"`
	Members   members  `json:"members"`
	Member    *ref     `json:"member"`
	Key       *ref     `json:"key"`
	Value     *ref     `json:"value"`
	Enum      []string `json:"enum"`
	Min       *int64   `json:"min"`
	Max       *int64   `json:"max"`
	Pattern   string   `json:"pattern"`
	Sensitive bool     `json:"sensitive"`
	Union     bool     `json:"union"`
	Document  bool     `json:"document"`
	Flattened bool     `json:"flattened"`
	Exception bool     `json:"exception"`
	Error     struct {
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
	Services map[string]struct {
		Package      string   `json:"package"`
		Name         string   `json:"name"`
		EventSource  string   `json:"eventSource"`
		SigningNames []string `json:"signingNames"`
		Invalid      string   `json:"invalid"`
	} `json:"services"`
	ReadOnly  map[string][]string `json:"readOnly"`
	NoAuth    map[string][]string `json:"noAuth"`
	Sensitive map[string][]string `json:"sensitive"`
	Visible   map[string][]string `json:"visible"`
	OAuth     map[string]string   `json:"oauth"`
}

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
