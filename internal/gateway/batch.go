package gateway

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// ObjectIdentifier is one of the objects of a batch delete. With an ETag it is deleted only while it has that.
type ObjectIdentifier struct {
	Key, VersionID, ETag string
}

// Batch is the body of DeleteObjects. Quiet asks for an answer that names only what was not deleted.
type Batch struct {
	Objects []ObjectIdentifier
	Quiet   bool
}

// maxBatch bounds the objects of a batch and maxBatchBody its body, which is S3's 1000 keys of 1024 bytes with room for
// their markup.
const (
	maxBatch     = 1000
	maxBatchBody = 2 << 20
)

// ParseDelete reads the body of DeleteObjects. Whether a key can be one is for who deletes it: one bad key does not spoil
// the others.
func ParseDelete(body []byte) (*Batch, error) {
	if len(body) > maxBatchBody {
		return nil, malformedXML(errors.New("it is too large"))
	}
	d := &elements{d: xml.NewDecoder(bytes.NewReader(body))}
	b := &Batch{}
	err := d.document("Delete", func(name string) error {
		switch name {
		case "Object":
			if len(b.Objects) == maxBatch {
				return errors.New("it names too many objects")
			}
			o, err := d.object()
			b.Objects = append(b.Objects, o)
			return err
		case "Quiet":
			text, err := d.text()
			if err == nil && text != "true" && text != "false" {
				//lint:ignore ST1005 Quiet is an element's name
				err = errors.New("Quiet is neither true nor false")
			}
			b.Quiet = text == "true"
			return err
		}
		return unexpected(name)
	})
	if err == nil && len(b.Objects) == 0 {
		err = errors.New("it names no object")
	}
	if err != nil {
		return nil, malformedXML(err)
	}
	return b, nil
}

func unexpected(name string) error { return fmt.Errorf("the element %s is not expected", clip(name)) }

// object reads the members of one object, each at most once: of two keys, one would be decided on and the other deleted.
func (d *elements) object() (ObjectIdentifier, error) {
	var o ObjectIdentifier
	seen := map[string]bool{}
	err := d.children(func(name string) error {
		if seen[name] {
			return fmt.Errorf("the element %s is there twice", clip(name))
		}
		seen[name] = true
		text, err := d.text()
		switch name {
		case "Key":
			o.Key = text
		case "VersionId":
			o.VersionID = text
		case "ETag":
			o.ETag = text
		default:
			return unexpected(name)
		}
		return err
	})
	if err == nil && o.Key == "" {
		err = errors.New("an object has no key")
	}
	return o, err
}

// elements reads an XML document strictly: no element that is not asked for, no text between elements.
type elements struct{ d *xml.Decoder }

func (d *elements) document(root string, child func(name string) error) error {
	for {
		token, err := d.d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != root || t.Name.Space != "" && t.Name.Space != namespace {
				return unexpected(t.Name.Local)
			}
			if err := d.children(child); err != nil {
				return err
			}
			return d.end()
		case xml.Directive:
			return errors.New("it has a directive")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("it begins with text")
			}
		}
	}
}

// end makes sure that nothing follows the root.
func (d *elements) end() error {
	for {
		token, err := d.d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("text follows it")
			}
		default:
			return errors.New("something follows it")
		}
	}
}

// children calls child for each element inside the one that was opened.
func (d *elements) children(child func(name string) error) error {
	for {
		token, err := d.d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Space != "" && t.Name.Space != namespace {
				return unexpected(t.Name.Local)
			}
			if err := child(t.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("there is text between elements")
			}
		case xml.Directive:
			return errors.New("it has a directive")
		}
	}
}

// text reads the text of the element that was opened.
func (d *elements) text() (string, error) {
	var b []byte
	for {
		token, err := d.d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			b = append(b, t...)
		case xml.EndElement:
			return string(b), nil
		case xml.StartElement:
			return "", unexpected(t.Name.Local)
		}
	}
}
