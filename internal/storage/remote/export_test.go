package remote

import (
	"context"
	"net"
	"net/http"
)

// OpenDialed opens an endpoint whose connections are made by dial.
func OpenDialed(cfg Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Endpoint, error) {
	e, err := Open(cfg, nil, nil)
	if err != nil {
		return nil, err
	}
	switch p := e.pool.(type) {
	case *http.Transport:
		p.DialContext = dial
	case *pool:
		p.dial = dial
	}
	return e, nil
}

// ReadXML reads a document as lines of paths and texts.
func ReadXML(text []byte, root string) (lines []string, err error) {
	d := &document{b: text}
	var walk func(path string) func(string) error
	walk = func(path string) func(string) error {
		return func(name string) error {
			at := path + "/" + name
			start := *d
			if text, err := d.text(); err == nil {
				lines = append(lines, at+"="+text)
				return nil
			}
			*d = start
			return d.each(walk(at))
		}
	}
	err = d.root(walk(""), root)
	return lines, err
}
