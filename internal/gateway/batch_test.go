package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDelete(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<Object><Key>%d</Key></Object>", i)
		}
		return "<Delete>" + b.String() + "</Delete>"
	}
	two := &Batch{Objects: []ObjectIdentifier{{Key: "a"}, {Key: " b\n", VersionID: "v", ETag: `"e"`}}, Quiet: true}
	for name, tt := range map[string]struct {
		body string
		want *Batch // nil is refused
	}{
		"in S3's namespace": {`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
			<Object><Key>a</Key></Object><Object><Key> b` + "\n" + `</Key><VersionId>v</VersionId><ETag>"e"</ETag></Object><Quiet>true</Quiet></Delete>`, two},
		"without a namespace": {"<Delete><Object><Key>a</Key></Object></Delete>", &Batch{Objects: []ObjectIdentifier{{Key: "a"}}}},
		"escaped":             {"<Delete><Object><Key>a&amp;&#x2f;<![CDATA[<b>]]></Key></Object></Delete>", &Batch{Objects: []ObjectIdentifier{{Key: "a&/<b>"}}}},
		"with a comment":      {"<Delete><Object><Key>a<!-- x -->b</Key></Object></Delete>", &Batch{Objects: []ObjectIdentifier{{Key: "ab"}}}},

		"nothing":                 {"", nil},
		"no XML":                  {"delete everything", nil},
		"no object":               {"<Delete></Delete>", nil},
		"no key":                  {"<Delete><Object><VersionId>v</VersionId></Object></Delete>", nil},
		"an empty key":            {"<Delete><Object><Key></Key></Object></Delete>", nil},
		"two keys":                {"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>", nil},
		"two versions":            {"<Delete><Object><Key>a</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object></Delete>", nil},
		"an element in a key":     {"<Delete><Object><Key>a<b>c</b></Key></Object></Delete>", nil},
		"another root":            {"<Deletes><Object><Key>a</Key></Object></Deletes>", nil},
		"another namespace":       {`<Delete xmlns="urn:x"><Object><Key>a</Key></Object></Delete>`, nil},
		"a member of another one": {`<Delete><Object xmlns:x="urn:x"><Key>a</Key><x:Key>b</x:Key></Object></Delete>`, nil},
		"an unknown member":       {"<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>", nil},
		"an unknown element":      {"<Delete><Object><Key>a</Key></Object><Force>true</Force></Delete>", nil},
		"a maybe":                 {"<Delete><Object><Key>a</Key></Object><Quiet>maybe</Quiet></Delete>", nil},
		"text between":            {"<Delete>x<Object><Key>a</Key></Object></Delete>", nil},
		"two documents":           {"<Delete><Object><Key>a</Key></Object></Delete><Delete/>", nil},
		"text behind":             {"<Delete><Object><Key>a</Key></Object></Delete>x", nil},
		"cut":                     {"<Delete><Object><Key>a</Key></Object>", nil},
		"an entity":               {`<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>`, nil},
		"another encoding":        {`<?xml version="1.0" encoding="UTF-16"?><Delete><Object><Key>a</Key></Object></Delete>`, nil},
		"1001 objects":            {many(1001), nil},
		"too large":               {"<Delete><Object><Key>" + strings.Repeat("a", maxBatchBody) + "</Key></Object></Delete>", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseDelete([]byte(tt.body))
			if err != nil && spell(err).Code != "MalformedXML" {
				t.Errorf("refused with %v", err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if b, err := ParseDelete([]byte(many(1000))); err != nil || len(b.Objects) != 1000 {
		t.Errorf("1000 objects: %v", err)
	}
}
