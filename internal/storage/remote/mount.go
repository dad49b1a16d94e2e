package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
)

// Place is where a bucket's objects are at a service: in a bucket there, under a prefix that is empty or ends in a slash.
type Place struct {
	Bucket, Prefix string
}

// Check refuses a place that is none, or from which a key could lead away.
func (p Place) Check() error {
	if err := storage.CheckBucketName(p.Bucket); err != nil {
		return fmt.Errorf("remote bucket %q: want the name of a bucket", p.Bucket)
	}
	if p.Prefix == "" {
		return nil
	}
	if !strings.HasSuffix(p.Prefix, "/") || len(p.Prefix) > 512 || storage.CheckKey(p.Prefix) != nil {
		return fmt.Errorf("remote prefix %q: want up to 512 bytes that end in a slash, without empty, '.' or '..' segments", p.Prefix)
	}
	return nil
}

// Overlaps says that the two places have keys in common.
func (p Place) Overlaps(q Place) bool {
	return p.Bucket == q.Bucket && (strings.HasPrefix(p.Prefix, q.Prefix) || strings.HasPrefix(q.Prefix, p.Prefix))
}

// Mount is a bucket of ours at its place. It implements storage.Objects, storage.Uploads and storage.Locks for that one
// bucket, whose name in the inputs it does not look at; of a copy, the source is another Mount of the same endpoint.
type Mount struct {
	endpoint *Endpoint
	name     string // here
	place    Place
}

// Mount puts a bucket of ours at a place that has been checked.
func (e *Endpoint) Mount(name string, at Place) *Mount {
	return &Mount{endpoint: e, name: name, place: at}
}

// Endpoint is the service that the mount is at.
func (m *Mount) Endpoint() *Endpoint { return m.endpoint }

// key is the key there. A key that would be read as a path leading elsewhere is refused for every kind of storage alike.
func (m *Mount) key(key string) (string, error) {
	if err := storage.CheckKey(key); err != nil {
		return "", err
	}
	there := m.place.Prefix + key
	if len(there) > storage.MaxKeyLength {
		return "", fault("KeyTooLongError").with("Size", fmt.Sprint(len(key))).with("MaxSizeAllowed", fmt.Sprint(storage.MaxKeyLength-len(m.place.Prefix))).Error
	}
	return there, nil
}

// errOutside is what no honest service answers.
var errOutside = errors.New("the answer names a key outside of what was asked for")

// home is the key here of one there, which must lie under the prefix that was asked for.
func (m *Mount) home(there, prefix string) (string, error) {
	key, ok := strings.CutPrefix(there, m.place.Prefix)
	if !ok || !strings.HasPrefix(key, prefix) {
		return "", errOutside
	}
	return key, nil
}

// object is a call about an object.
func (m *Mount) object(method, key string) (*call, error) {
	there, err := m.key(key)
	if err != nil {
		return nil, err
	}
	return &call{method: method, bucket: m.place.Bucket, key: there, repeatable: method == http.MethodGet || method == http.MethodHead}, nil
}

func (m *Mount) bucket(method string) *call {
	return &call{method: method, bucket: m.place.Bucket, repeatable: method == http.MethodGet || method == http.MethodHead}
}

// check refuses a header that would end and another begin.
func (c *call) check() error {
	for name, values := range c.header {
		for _, v := range values {
			for i := range len(v) {
				if v[i] < ' ' && v[i] != '\t' || v[i] == 0x7f {
					return fault("InvalidArgument").with("ArgumentName", strings.ToLower(name)).because(errors.New("a header's value has a control character"))
				}
			}
		}
	}
	return nil
}

// do makes a call and turns every answer that is no success into an error.
func (m *Mount) do(ctx context.Context, c *call, about of) (*answer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	a, err := m.endpoint.do(ctx, c)
	if c.body != nil {
		c.body.over.Store(true)
	}
	if err != nil {
		return nil, m.endpoint.unavailable(ctx, c, err)
	}
	if a.StatusCode < 200 || a.StatusCode > 299 {
		if c.body != nil && c.body.failed() != nil {
			a.close()
			return nil, m.endpoint.unavailable(ctx, c, c.body.failed())
		}
		return nil, m.refused(ctx, a, about)
	}
	if c.body != nil && c.body.size > 0 && !c.body.complete() {
		a.close()
		return nil, m.endpoint.broken(ctx, errors.New("it reports success before it has the content"))
	}
	return a, nil
}

// done is do for answers of which nothing but the status counts.
func (m *Mount) done(ctx context.Context, c *call, about of) error {
	a, err := m.do(ctx, c, about)
	if err != nil {
		return err
	}
	a.close()
	return nil
}

// page is do for answers that are a document.
func (m *Mount) page(ctx context.Context, c *call, about of) (*document, http.Header, error) {
	a, err := m.do(ctx, c, about)
	if err != nil {
		return nil, nil, err
	}
	defer a.close()
	text, err := a.read(maxAnswerDocument)
	if err != nil {
		return nil, nil, m.endpoint.broken(ctx, err)
	}
	// A copy and a completion may fail after their answer has begun with success.
	if given := errorCode(text); given != "" {
		return nil, nil, m.named(ctx, a, given, about)
	}
	return &document{b: text}, a.Header, nil
}
