package devidp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ParseDirectory reads a directory from YAML:
//
//	tenant: 7c1f3f5e-5d0a-4c6b-9a57-0f4f6d1f8a10
//	users:
//	  - userName: mateo@example.com
//	    givenName: Mateo
//	    familyName: Jackson
//	    password: generate
//	groups:
//	  - displayName: Red Project Group
//	    members: [mateo@example.com]
//	clients:
//	  - id: 5e2a9c47-8d16-4f3b-a7c0-1b9d6e4f2c21
//	    name: Data application
//	    redirectURIs: ["http://127.0.0.1/callback"]
//
// What can be left out is filled in (see User and Client). Unknown and doubled names are refused. Every error names the
// line, and none quotes the text around it, which may hold a password.
func ParseDirectory(data []byte) (*Directory, error) { return parseDirectory(data, DefaultTenant) }

// parseDirectory is ParseDirectory where the tenant, from which ids are derived, is another when it is left out.
func parseDirectory(data []byte, tenant string) (*Directory, error) {
	if len(data) > maxDirectory {
		return nil, fmt.Errorf("parse directory: %d bytes, at most %d", len(data), maxDirectory)
	}
	if err := checkNesting(data); err != nil {
		return nil, fmt.Errorf("parse directory: %w", err)
	}
	d, err := decodeYAML(data)
	if err != nil {
		if y, ok := errors.AsType[yaml.Error](err); ok && y.GetToken() != nil {
			// Some messages end in the text that is at fault, which may be a password.
			msg, _, _ := strings.Cut(y.GetMessage(), `: "`)
			return nil, fmt.Errorf("parse directory: line %d: %s", y.GetToken().Position.Line, msg)
		}
		if errors.Is(err, errSecondDocument) {
			return nil, fmt.Errorf("parse directory: %w", err)
		}
		return nil, errors.New("parse directory: not a YAML document of this form")
	}
	if d.Tenant == "" {
		d.Tenant = tenant
	}
	if err := d.complete(); err != nil {
		if at, ok := errors.AsType[*pathError](err); ok {
			if line := lineOf(data, at.path); line > 0 {
				return nil, fmt.Errorf("parse directory: line %d: %w", line, err)
			}
		}
		return nil, fmt.Errorf("parse directory: %w", err)
	}
	return d, nil
}

var errSecondDocument = errors.New("more than one document; write everything into one")

// decodeYAML turns a panic of the library into an error: fuzzing finds documents, such as a list that is a bare tag, at
// which it dereferences nil.
func decodeYAML(data []byte) (d *Directory, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = nil, fmt.Errorf("decode YAML: %v", p)
		}
	}()
	d = new(Directory)
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(d); err != nil {
		if errors.Is(err, io.EOF) {
			return d, nil // nothing but comments: an empty directory
		}
		return nil, err
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errSecondDocument
	}
	return d, nil
}

// maxNesting is far more than a directory needs. Parsers of YAML recurse, and a page of open brackets would have this
// one use up the stack, from which a Go program does not recover.
const maxNesting = 32

func checkNesting(data []byte) error {
	depth := 0 // of brackets, counted also where they are text: no directory has so many open ones
	for n, line := range bytes.Split(data, []byte("\n")) {
		indent := len(line) - len(bytes.TrimLeft(line, " -\t?:"))
		deepest := depth
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
				deepest = max(deepest, depth)
			case ']', '}':
				depth = max(0, depth-1)
			}
		}
		if indent > 2*maxNesting || deepest > maxNesting {
			return fmt.Errorf("line %d: nested too deeply", n+1)
		}
	}
	return nil
}

// lineOf finds the line of a place in the document, or of the nearest place around it that is written out: a field that
// was left out is reported at the entry that lacks it. It returns 0 when nothing is found.
func lineOf(data []byte, path string) (line int) {
	defer func() {
		if recover() != nil { // as in decodeYAML; an error without its line is still an error
			line = 0
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return 0
	}
	for path != "$" && path != "" {
		if node := find(file, path); node != nil && node.GetToken() != nil {
			tok := node.GetToken()
			if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
				tok = m.Values[0].Key.GetToken()
			}
			return tok.Position.Line
		}
		cut := max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['))
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return 0
}

func find(file *ast.File, path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil {
		return nil
	}
	node, err := p.FilterFile(file)
	if err != nil {
		return nil
	}
	return node
}

// YAML returns the directory in the form that ParseDirectory reads, without anything secret: a password or a secret,
// and the hash of one, is left out.
func (d *Directory) YAML() ([]byte, error) {
	c := d.clone()
	for i := range c.Users {
		c.Users[i].Password, c.Users[i].PasswordHash = "", ""
	}
	for i := range c.Clients {
		c.Clients[i].Secret, c.Clients[i].SecretHash = "", ""
	}
	out, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write directory: %w", err)
	}
	return out, nil
}
